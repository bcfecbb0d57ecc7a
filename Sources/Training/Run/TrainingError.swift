import MessagePassing

/// A run cannot go on; thrown alike on every rank.
package struct TrainingError: SharedError, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
