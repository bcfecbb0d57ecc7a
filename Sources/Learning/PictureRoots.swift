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
}

extension ImageIndex: TrainingPictures {
    package var index: ImageIndex { self }
    package var notes: [String] { [] }
}
