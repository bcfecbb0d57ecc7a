import Files
import Foundation
import SystemPackage
import TestSupport
import Testing

/// Files that are written in place, through memory that is theirs.
@Suite struct MappedFileTests {
    private func bytes(_ count: Int, _ seed: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed) }
    }

    private func read(_ file: MappedFile, _ range: Range<Int>) throws -> [UInt8] {
        var result = [UInt8](repeating: 0, count: range.count)
        try result.withUnsafeMutableBytes { try file.read(into: $0, at: range.lowerBound) }
        return result
    }

    /// Over several windows, from odd places, and as others see it.
    @Test func whatIsWrittenInPlaceIsThereForEverybody() throws {
        try withTemporaryDirectory { directory in
            let path = FilePath(directory + "/shard"), size = 9 << 20
            let file = try MappedFile(path: path, byteCount: size)
            #expect(try file.size == size && FileSystem.size(path) == size)
            var expected = [UInt8](repeating: 0, count: size)
            for (offset, count) in [(0, 1), (4095, 2), (70_001, 8 << 20), (size - 3, 3)] {
                let part = bytes(count, offset)
                try part.withUnsafeBytes { try file.write($0, at: offset) }
                expected.replaceSubrange(offset..<offset + count, with: part)
            }
            #expect(try read(file, 0..<size) == expected && read(file, 4095..<4096) == [expected[4095]])
            #expect(try InputFile(path: path).bytes(0..<size) == expected)
            // Opened again, it has what it had.
            #expect(try read(MappedFile(path: path, byteCount: size), 4000..<9000) == Array(expected[4000..<9000]))
        }
    }

    @Test func aFileGrowsAndShrinks() throws {
        try withTemporaryDirectory { directory in
            let path = FilePath(directory + "/shard"), file = try MappedFile(path: path, byteCount: 5000)
            try bytes(5000, 1).withUnsafeBytes { try file.write($0, at: 0) }
            try file.resize(to: 10)
            #expect(try FileSystem.size(path) == 10)
            try file.resize(to: 6000)
            #expect(try read(file, 0..<6000) == bytes(10, 1) + [UInt8](repeating: 0, count: 5990))
        }
    }

    /// A byte without a place would end the program when it is written.
    @Test func tooLittleRoomIsAnErrorBeforeAnythingIsWritten() throws {
        try withTemporaryDirectory { directory in
            let path = FilePath(directory + "/shard"), file = try MappedFile(path: path, byteCount: 8)
            try bytes(8, 3).withUnsafeBytes { try file.write($0, at: 0) }
            let error = #expect(throws: FileError.self) { try file.resize(to: 1 << 50) }
            #expect("\(error!)".contains("make room for 1125899906842624 bytes"), "\(error!)")
            #expect(try file.size == 8 && read(file, 0..<8) == bytes(8, 3))
        }
    }

    @Test func linksAndFoldersAreRefused() throws {
        try withTemporaryDirectory { directory in
            try FileManager.default.createSymbolicLink(
                atPath: directory + "/link", withDestinationPath: directory + "/other")
            for name in ["link", "."] {
                #expect(throws: FileError.self) {
                    try MappedFile(path: FilePath(directory).appending(name), byteCount: 1)
                }
            }
            #expect(!FileSystem.exists(FilePath(directory + "/other")))
        }
    }
}
