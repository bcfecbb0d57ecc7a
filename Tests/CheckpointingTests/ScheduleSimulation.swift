import Checkpointing
import Files
import Synchronization
import SystemPackage
import TensorCore
import TestSupport

/// A run of several starts under a schedule that a seed decides: which ranks go on where, who dies, what is damaged, and
/// whether the power goes.
///
/// It keeps account of what was promised: after each start the newest promise that the faults since have left must load,
/// and whatever loads must hold what the run had at that step, on the way that it took.
struct ScheduleSimulation {
    private static let run: FilePath = "/runs/night", memory: FilePath = "/memory"

    private let seed: UInt64
    private let files: SimulatedFiles
    /// What the program under test sees of the files.
    private let seen: any FileOperations
    /// What else damage changes: see `aProgramWithoutChecksums`.
    private let damaged: (FilePath, SimulatedFiles) throws -> Void
    private var generator: KeyedGenerator
    private var course: [Int] = []
    /// The start in which each step was reached, on the way that the run took.
    private var way: [Int: Int] = [:]
    /// Steps that were promised on disk, newest first, and whether they have been left in peace since.
    private var onDisk: [(step: Int, isSound: Bool)] = []
    private var inMemory: MemoryPromise?

    /// A checkpoint that all hosts had together: who still holds each shard.
    private struct MemoryPromise {
        let step: Int
        var holders: [Set<Int>]
        /// Of the start that died while it saved a later one: that one may be complete instead, on all of them together.
        var hosts = 0

        func isComplete(on hosts: Range<Int>) -> Bool {
            hosts.count >= self.hosts && holders.allSatisfy { !$0.isDisjoint(with: hosts) }
        }
    }

    /// - Parameters:
    ///   - seen: makes of the files what the program under test sees; a broken program is one that sees broken files.
    init(
        seed: UInt64, seen: (SimulatedFiles) -> any FileOperations = { $0 },
        damaged: @escaping (FilePath, SimulatedFiles) throws -> Void = { _, _ in }
    ) {
        self.seed = seed
        files = SimulatedFiles(directory: Self.run)
        (self.seen, self.damaged) = (seen(files), damaged)
        generator = KeyedGenerator(seed, 0x7363_6865)
    }

    /// What was lost or wrong, in words; empty where all is well.
    mutating func violations() throws -> [String] {
        var found: [String] = []
        for attempt in 1...3 {
            let ranks = 1 + generator.integer(below: 3), perHost = 1 + generator.integer(below: 2)
            found += try live(SimulatedRanks(ranks, perHost: perHost, seed: seed &* 4 + UInt64(attempt)))
            if !found.isEmpty { return found }
        }
        return found
    }

    // MARK: A start

    private final class Log: Sendable {
        /// From which step it went on, and with which start's state; nil until it does.
        let began = Mutex<(step: Int, start: Int)?>(nil)
        let wrong = Mutex<[String]>([])
        let onDisk = Mutex<[Int]>([])
        let inMemory = Mutex(0)
        let begunInMemory = Atomic(0)
        let reached = Atomic(0)
    }

    private mutating func live(_ ranks: SimulatedRanks) throws -> [String] {
        // Who dies before the run goes on has no place in its history.
        let start = course.count + 1, log = Log()
        let hosts = 0..<(ranks.count + ranks.ranksPerHost - 1) / ranks.ranksPerHost
        let kind = generator.integer(below: 6), victim = generator.integer(below: ranks.count)
        let moment = 20 + generator.integer(below: 220)
        let dying = kind == 0 ? [] : kind == 1 ? [victim] : Array(0..<ranks.count)
        for rank in dying { ranks.kill(rank, atOperation: moment) }
        if generator.integer(below: 4) == 0 { ranks.delay(victim, seconds: 0.1) }
        files.ranks = ranks
        let outcomes = try ranks.outcomes { [course, seen] world in
            try Self.train(world, start: start, course, seen, log)
        }
        files.ranks = nil
        var found = log.wrong.withLock { $0 }
        found += judge(log, hosts, outcomes.compactMap { if case .failure(let error) = $0 { "\(error)" } else { nil } })
        guard let began = log.began.withLock({ $0 }) else { return found }
        course.append(began.step)
        way = way.filter { $0.key <= began.step }
        // The run goes another way from there.
        if let promise = inMemory, promise.step > began.step { inMemory = nil }
        for step in began.step + 1..<began.step + 20 { way[step] = start }
        account(log, ranks, from: began.step)
        try strike(kind, hosts)
        return found.map { "seed \(seed), start \(start): \($0)" }
    }

    /// What a rank does: it goes on from the newest checkpoint, and saves a few steps to memory and to disk.
    private static func train(
        _ world: SimulatedCollective, start: Int, _ course: [Int], _ files: any FileOperations, _ log: Log
    ) throws {
        let clock = world.ranks.clock
        let store = MemoryStore(folder: memory.appending(world.hostName), identity: "night", files: files)
        let disk = try CheckpointSaver(runDirectory: run, communicator: world, keep: 2, files: files, clock: clock) {
            point, rank in
            if point == .committed, !world.ranks.isKilled(rank) {
                log.onDisk.withLock { $0.append(log.reached.load(ordering: .relaxed)) }
            }
        }
        let saver = try MemorySaver(store: store, communicator: world, limit: .max, clock: clock)
        let reader = try CheckpointReader.openNewest(
            runDirectory: run, memory: store, course: RunCourse(starts: course), communicator: world, files: files,
            clock: clock, report: { _ in })
        if let reader {
            let wrong = try SimulatedState.differences(reader)
            log.wrong.withLock { $0 += wrong.map { "\($0) of \(reader.place) differs" } }
        }
        let facts = reader?.manifest.facts
        let first = facts?.step ?? 0
        log.began.withLock { $0 = (first, facts?.counters[MemoryStore.startCounter] ?? 0) }
        try world.barrier("beginning")
        try saver.wentOn(from: facts?.step)
        for step in first + 1...first + 3 {
            let tensors = SimulatedState.tensors(step: step, start: start).map { SavedTensor($0) }
            let facts = SimulatedState.facts(step: step, start: start)
            log.begunInMemory.store(step, ordering: .relaxed)
            if case .committed(let step, _) = try saver.save(tensors, facts: facts) {
                log.inMemory.withLock { $0 = step }
            }
            if step == first + 2 {
                log.reached.store(step, ordering: .relaxed)
                disk.beginSave(tensors, facts: facts)
            }
            _ = try disk.poll()
        }
        _ = try disk.finishSave()
    }

    // MARK: What must hold

    /// Holds what was loaded against what was promised.
    private func judge(_ log: Log, _ hosts: Range<Int>, _ errors: [String]) -> [String] {
        guard let began = log.began.withLock({ $0 }) else {
            // Who died before anything was loaded tells nothing; a refusal does.
            let refusals = errors.filter { $0.contains("none of the") }
            return onDisk.isEmpty && inMemory == nil ? [] : refusals
        }
        let promised = max(
            onDisk.first { $0.isSound }?.step ?? 0, inMemory.map { $0.isComplete(on: hosts) ? $0.step : 0 } ?? 0)
        if began.step < promised { return ["step \(promised) was promised, and step \(began.step) was loaded"] }
        if began.step > 0, way[began.step] != began.start {
            return ["step \(began.step) of start \(began.start) is of a way that was left"]
        }
        return []
    }

    /// Notes what this start has promised.
    private mutating func account(_ log: Log, _ ranks: SimulatedRanks, from first: Int) {
        if let step = log.onDisk.withLock({ $0 }).last {
            // Later ones than where this start began were set aside.
            onDisk = Array(([(step, true)] + onDisk.filter { $0.step <= first }).prefix(2))
        }
        let step = log.inMemory.withLock { $0 }
        let names = (0..<ranks.count).map { "\($0 / ranks.ranksPerHost)" }, plan = HostPlan(names: names)
        if step > 0 {
            inMemory = MemoryPromise(
                step: step,
                holders: names.indices.map { rank in
                    Set([plan.host(of: rank)] + (plan.keeper(of: rank).map { [plan.host(of: $0)] } ?? []))
                })
        }
        if log.begunInMemory.load(ordering: .relaxed) > step { inMemory?.hosts = plan.ranks.count }
    }

    // MARK: Faults

    /// What befalls the files once the job is over.
    private mutating func strike(_ kind: Int, _ hosts: Range<Int>) throws {
        switch kind {
        case 2: try lose(generator.integer(below: hosts.count))
        case 3:
            files.losePower(&generator)
            try files.removeTree(Self.memory)
            inMemory = nil
        case 4: try damageDisk()
        case 5: try damageMemory(generator.integer(below: hosts.count))
        default: break
        }
    }

    private mutating func lose(_ host: Int) throws {
        try files.removeTree(Self.memory.appending("host\(host)"))
        if let promise = inMemory { inMemory!.holders = promise.holders.map { $0.subtracting([host]) } }
    }

    /// The newest checkpoint on disk, where there is a sound one before it.
    private mutating func damageDisk() throws {
        guard onDisk.count > 1, onDisk[1].isSound else { return }
        onDisk[0].isSound = false
        try damage(CheckpointCatalog.directory(runDirectory: Self.run, step: onDisk[0].step))
    }

    /// All that one host has of its newest checkpoint, a shard after the other.
    private mutating func damageMemory(_ host: Int) throws {
        let folder = Self.memory.appending("host\(host)").appending("pixpro-night")
        guard files.exists(folder), let newest = try CheckpointCatalog.list(runDirectory: folder, files: files).first
        else {
            return
        }
        if let promise = inMemory { inMemory!.holders = promise.holders.map { $0.subtracting([host]) } }
        try damage(newest.directory)
    }

    private mutating func damage(_ directory: FilePath) throws {
        for name in try files.names(in: directory) where name.string.hasPrefix("shard") {
            let place = generator.integer(below: 1000)
            try files.damage(directory.appending(name)) { bytes in
                // Within the numbers, behind the header.
                if !bytes.isEmpty { bytes[bytes.count - 1 - place % min(bytes.count, 64)] ^= 1 }
            }
        }
        try damaged(directory, files)
    }
}
