package import ImagePipeline
package import MessagePassing
package import SystemPackage

/// Where the pictures of a run are said to be: what a task finds its own in.
package struct PictureRoots {
    package let paths: [FilePath]
    /// The run's, for choices of chance among them.
    package let seed: Int
    package let communicator: any Collective
    /// To be called again and again while one looks at pictures: a watchdog waits.
    package let advance: () throws -> Void
    /// All pictures below the paths, as any task without labels wants them. Collective.
    package let list: () throws -> ImageIndex

    package init(
        _ paths: [FilePath], seed: Int, communicator: any Collective, advance: @escaping () throws -> Void = {},
        list: @escaping () throws -> ImageIndex
    ) {
        (self.paths, self.seed, self.communicator) = (paths, seed, communicator)
        (self.advance, self.list) = (advance, list)
    }
}

/// The pictures of a run with what a task knows of them, the same on every rank.
package protocol TrainingPictures {
    /// What epochs go through.
    var index: ImageIndex { get }
    /// What a user must know of them, a sentence each.
    var notes: [String] { get }
    /// What networks are made by, as checkpoints keep it: the classes of objects, say.
    var facts: [String: String] { get }
}

extension TrainingPictures {
    package var facts: [String: String] { [:] }
}

extension ImageIndex: TrainingPictures {
    package var index: ImageIndex { self }
    package var notes: [String] { [] }
}

extension ImageIndex {
    /// What rank zero lists below some roots, on every rank, each of which checks that it can read there.
    ///
    /// One listing spares a shared file system a million look-ups per rank, and every rank sees the same order. Collective;
    /// throws the same error on all ranks.
    ///
    /// - Parameters:
    ///   - name: what is listed, for errors: "the images".
    ///   - file: where the list is kept for later starts; nil for nowhere.
    ///   - advance: see `PictureRoots`.
    package static func shared(
        _ roots: [FilePath], listing name: String, excluding excluded: [FilePath] = [], keptIn file: FilePath? = nil,
        _ communicator: any Collective, advance: () throws -> Void = {}
    ) throws -> ImageIndex {
        let listed = try communicator.agree(on: "listing \(name)") { () -> ImageIndex? in
            guard communicator.isRoot else { return nil }
            guard let file else { return try ImageIndex(roots: roots, excluding: excluded, proceed: advance) }
            return try ImageIndex(roots: roots, excluding: excluded, keptIn: file, proceed: advance)
        }
        let bytes = try communicator.broadcast(listed?.serialized ?? [])
        return try communicator.agree(on: "reading the image folders") {
            let index = try listed ?? ImageIndex(serialized: bytes)
            try index.verifyReadable(isElsewhere: !communicator.isRoot)
            return index
        }
    }
}

extension SegmentationFolder {
    /// The same of labelled pictures, as `list` finds them on rank zero. Collective; throws the same error on all ranks.
    package static func shared(
        _ communicator: any Collective, _ list: () throws -> SegmentationFolder
    ) throws -> SegmentationFolder {
        let listed = try communicator.agree(on: "listing labelled pictures") {
            communicator.isRoot ? try list() : nil
        }
        let packed = try communicator.broadcast(listed?.packed ?? [])
        return try communicator.agree(on: "reading the image folders") {
            let folder = try listed ?? SegmentationFolder(packed: packed)
            try folder.index.verifyReadable(isElsewhere: !communicator.isRoot)
            return folder
        }
    }
}
