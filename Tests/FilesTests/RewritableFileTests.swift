import Files
import Foundation
import SystemPackage
import TestSupport
import Testing

/// Files that are written again, over what they held.
@Suite struct RewritableFileTests {
    private func bytes(_ count: Int, _ seed: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed) }
    }

    @Test func aFileIsWhatWasAppendedSinceItsStart() throws {
        try withTemporaryDirectory { directory in
            let path = FilePath(directory + "/shard"), file = try SystemFiles().openAgain(path)
            for (seed, parts) in [[9 << 20, 3], [10, 4095], [], [70_001, 1]].enumerated() {
                try file.rewind()
                for part in parts { try file.append(bytes(part, seed)) }
                try file.cut()
                #expect(try WholeFile.bytes(of: path) == parts.flatMap { bytes($0, seed) })
                #expect(file.size == parts.reduce(0, +))
            }
            // Opened again, it has what it had, until something is written over it.
            let again = try SystemFiles().openAgain(path)
            try again.append([7])
            #expect(try WholeFile.bytes(of: path) == [7] + (bytes(70_001, 3) + bytes(1, 3)).dropFirst())
        }
    }

    @Test func linksAndFoldersAreRefused() throws {
        try withTemporaryDirectory { directory in
            try FileManager.default.createSymbolicLink(
                atPath: directory + "/link", withDestinationPath: directory + "/other")
            for name in ["link", "."] {
                #expect(throws: FileError.self) { try SystemFiles().openAgain(FilePath(directory).appending(name)) }
            }
            #expect(!FileSystem.exists(FilePath(directory + "/other")))
        }
    }
}
