import Files
import Glibc
import Synchronization
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// What replacing a file promises: whoever dies, wherever, and whether or not the power goes too.
@Suite(.disabled(if: SimulatedRanks.areFree, "ranks that run freely do not die at an operation"))
struct ReplacementTests {
    private static let folder: FilePath = "/runs/night"
    private static let path: FilePath = "/runs/night/file"
    private static let old = [UInt8](repeating: 1, count: 2000), new = [UInt8](repeating: 2, count: 3000)

    /// Files of which one holds the old contents.
    private func begun() throws -> SimulatedFiles {
        let files = SimulatedFiles(directory: Self.folder)
        try files.replace(Self.path) { try $0.append(Self.old) }
        return files
    }

    /// Has a job replace the contents; whether it came to its end.
    private func replace(_ files: SimulatedFiles, isDurable: Bool = true, dyingAt operation: Int) throws -> Bool {
        let ranks = SimulatedRanks(1), isDone = Atomic(false)
        ranks.kill(0, atOperation: operation)
        files.ranks = ranks
        _ = try ranks.outcomes { _ in
            try files.replace(Self.path, isDurable: isDurable) { file in
                for part in [0..<1000, 1000..<3000] { try file.append(Array(Self.new[part])) }
            }
            isDone.store(true, ordering: .relaxed)
        }
        files.ranks = nil
        return isDone.load(ordering: .relaxed)
    }

    private func contents(_ files: SimulatedFiles) throws -> [UInt8] {
        let file = try files.open(Self.path)
        return try file.bytes(0..<file.size)
    }

    @Test(arguments: [false, true]) func aDeathLeavesTheOldContentsOrTheNew(losesPower: Bool) throws {
        var olds = 0, news = 0, ends = 0
        for operation in 1...12 {
            for seed in 0..<16 as Range<UInt64> {
                let files = try begun(), isDone = try replace(files, dyingAt: operation)
                var generator = KeyedGenerator(seed, UInt64(operation))
                if losesPower { files.losePower(&generator) }
                let found = try contents(files)
                #expect(found == Self.new || !isDone && found == Self.old, "operation \(operation), seed \(seed)")
                if found == Self.old { olds += 1 } else { news += 1 }
                if isDone { ends += 1 }
            }
        }
        #expect(olds > 0 && news > ends && ends > 0, "\(olds) old, \(news) new, \(ends) replaced to the end")
    }

    /// The simulation sees what it is made to see: without waiting for the disk neither may be there.
    @Test func whatIsNotDurableMayBeTornByALossOfPower() throws {
        var torn = 0
        for seed in 0..<32 as Range<UInt64> {
            let files = try begun()
            #expect(try replace(files, isDurable: false, dyingAt: .max))
            #expect(try contents(files) == Self.new)
            var generator = KeyedGenerator(seed)
            files.losePower(&generator)
            let found = try contents(files)
            if found != Self.old, found != Self.new { torn += 1 }
        }
        #expect(torn > 4, "\(torn) torn")
    }

    @Test func aDiskThatFailsLeavesTheOldContentsAndNoRemains() throws {
        var failures = 0
        for operation in 1...6 {
            let files = try begun(), ranks = SimulatedRanks(1)
            files.ranks = ranks
            files.fail(rank: 0, atOperation: operation)
            let outcome = try ranks.outcomes { _ in
                try files.replace(Self.path) { try $0.append(Self.new) }
            }[0]
            files.ranks = nil
            guard case .failure(let error as FileError) = outcome else { continue }
            failures += 1
            // Once it has its name, what failed is that this be lasting.
            let isRenamed = error.path == Self.folder
            #expect(try contents(files) == (isRenamed ? Self.new : Self.old), "\(error)")
            #expect(try files.names(in: Self.folder) == [Self.path.lastComponent!])
        }
        #expect(failures == 6)
    }
}

/// The system's files, where their promises rest on a descriptor.
@Suite struct SystemFilesTests {
    private let files = SystemFiles()

    @Test func aNewFileIsNobodyElses() throws {
        try withTemporaryDirectory { folder in
            let path = FilePath("\(folder)/owner")
            let file = try files.createNew(path)
            try file.append(Array("first\n".utf8))
            try file.finish()
            let taken = #expect(throws: FileError.self) { try files.createNew(path) }
            #expect(taken?.code == EEXIST)
            #expect(try files.text(of: path, limit: 6) == "first\n")
            #expect(throws: FileError.self) { try files.text(of: path, limit: 5) }
            #expect(symlink("owner", "\(folder)/link") == 0)
            #expect(throws: FileError.self) { try files.createNew(FilePath("\(folder)/link")) }
        }
    }

    @Test func aLockGoesWithItsObject() throws {
        try withTemporaryDirectory { folder in
            let path = FilePath("\(folder)/lock")
            #expect(throws: FileError.self) { try files.openLock(path, makesIt: false) }
            var first: (any LockFile)? = try files.openLock(path, makesIt: true)
            let second = try files.openLock(path, makesIt: false)
            #expect(first!.tryLock() == .locked && !first!.isHeldByAnother)
            try first!.write(line: "a longer line")
            try first!.write(line: "a line")
            #expect(second.tryLock() == .taken && second.isHeldByAnother && second.line == "a line")
            first = nil
            #expect(try !second.isHeldByAnother && second.tryLock() == .locked && second.isInPlace)
            try files.replace(path) { try $0.append(Array("another file\n".utf8)) }
            #expect(try !second.isInPlace && second.line == "a line")
        }
    }
}
