import MessagePassing
package import TensorCore

/// Numbered pictures that any rank can load one at a time.
package struct PictureSource {
    package let count: Int
    /// What people call a picture: its path.
    package let name: (Int) -> String
    /// One picture [H, W, 3], normalised as in training. Several threads call it at once; what it throws is the reason
    /// for which the picture is skipped.
    package let load: (Int) throws -> Tensor

    package init(count: Int, name: @escaping (Int) -> String, load: @escaping (Int) throws -> Tensor) {
        self.count = count
        self.name = name
        self.load = load
    }
}

/// The evaluation cannot be done as asked, on no rank.
package struct EvaluationError: SharedError, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// At most `limit` of 0..<count, evenly spread and ascending.
func spread(_ count: Int, limit: Int) -> [Int] {
    let chosen = min(count, max(limit, 0))
    return (0..<chosen).map { $0 * count / chosen }
}

/// 0..<count in an order that depends on the key alone.
func shuffled(_ count: Int, key: UInt64...) -> [Int] {
    var generator = KeyedGenerator(key: key)
    var order = Array(0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, generator.integer(below: i + 1)) }
    return order
}
