import Files
import MessagePassing
import SystemPackage

/// A run cannot go on; thrown alike on every rank.
package struct TrainingError: SharedError, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }

    /// A checkpoint's network is of no use.
    init(notFinite tensor: String, in checkpoint: FilePath) {
        self.init(
            "\(checkpoint.shown): '\(tensor)' has numbers that are not finite, its training diverged: name an earlier "
                + "checkpoint with --step")
    }
}
