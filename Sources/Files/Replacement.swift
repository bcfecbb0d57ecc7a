package import SystemPackage

extension FileOperations {
    /// Replaces a file in one step: a crash leaves the old contents or the new, never a part.
    ///
    /// Links are written through, and the file keeps its rights. A pipe or a terminal gets the bytes as they come, also
    /// through `/dev/stdout` or `>(…)`. `isDurable` waits for the disk, and holds for a loss of power too.
    package func replace(
        _ path: FilePath, isDurable: Bool = true, _ body: (any WritableFile) throws -> Void
    ) throws {
        let target: FilePath
        switch try destination(of: path) {
        case .stream(let stream):
            try body(stream)
            return try stream.finish()
        case .file(let end): target = end
        }
        let partial = target.appending(suffix: ".pixpro-partial")
        let file = try createPartial(partial, replacing: target)
        do {
            try body(file)
            if isDurable { try file.synchronize() }
            try file.finish()
            try move(partial, to: target)
        } catch {
            // The failure is what is told; that its remains cannot be removed either adds nothing.
            try? removeTree(partial)
            throw error
        }
        if isDurable { try synchronize(directory: FileSystem.parent(of: target)) }
    }
}
