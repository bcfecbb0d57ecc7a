/// A checkpoint that cannot be used, or a run none of whose checkpoints can.
package struct CheckpointError: Error, CustomStringConvertible {
    /// What is wrong, where, and what to do about it.
    package let description: String

    init(_ description: String) { self.description = description }
}
