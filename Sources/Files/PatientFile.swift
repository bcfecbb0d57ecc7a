package import SystemPackage

/// A file that grows at its end and loses nothing to a full disk or a file server that is away: what is not taken is kept, from
/// within a record on, and written before the next one.
package final class PatientFile {
    private var file: AppendedFile
    private var waiting: [UInt8] = []

    package var path: FilePath { file.path }

    /// Opens a file, or makes it; `isNew` refuses one that is there.
    package init(path: FilePath, isNew: Bool = false) throws { file = try AppendedFile(path: path, isNew: isNew) }

    /// Throws where the disk did not take all of it.
    package func append(_ bytes: [UInt8]) throws {
        waiting += bytes
        do { try flush() } catch let error as FileError where error.code.map(TransientErrors.codes.contains) ?? false {
            // A server that was away may know the file by another handle. It is not made anew, below an empty mount say.
            file = try AppendedFile(path: path, makesIt: false)
            try flush()
        }
    }

    private func flush() throws {
        while !waiting.isEmpty { waiting.removeFirst(try file.appendSome(waiting)) }
    }

    /// Writes what is still kept.
    package func finish() throws { try append([]) }

    /// Returns when all that was written is on the disk.
    package func synchronize() throws { try file.synchronize() }
}
