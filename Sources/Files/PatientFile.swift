package import SystemPackage

/// A file that grows at its end and loses nothing to a full disk: what that does not take is kept, from within a record on, and
/// written before the next one.
package final class PatientFile {
    private let file: AppendedFile
    private var waiting: [UInt8] = []

    package var path: FilePath { file.path }

    /// Opens a file, or makes it; `isNew` refuses one that is there.
    package init(path: FilePath, isNew: Bool = false) throws { file = try AppendedFile(path: path, isNew: isNew) }

    /// Throws where the disk did not take all of it.
    package func append(_ bytes: [UInt8]) throws {
        waiting += bytes
        while !waiting.isEmpty { waiting.removeFirst(try file.appendSome(waiting)) }
    }

    /// Returns when all that was written is on the disk.
    package func synchronize() throws { try file.synchronize() }
}
