/// A checkpoint that cannot be used, or a run none of whose checkpoints can.
public struct CheckpointError: Error, CustomStringConvertible {
    /// What is wrong, where, and what to do about it.
    public let description: String

    init(_ description: String) { self.description = description }
}
