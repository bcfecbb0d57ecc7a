import MessagePassing

/// A run cannot go on; thrown alike on every rank.
public struct TrainingError: SharedError, CustomStringConvertible {
    public let description: String
    package init(_ description: String) { self.description = description }
}
