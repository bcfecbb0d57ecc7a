import Synchronization

/// What was made for a shape, kept for its next use; all is forgotten when there is much (pictures of every size).
final class ShapeCache<Shape: Hashable & Sendable, Value: Sendable>: Sendable {
    private let values = Mutex<[Shape: Value]>([:])
    private let most = 512

    func value(_ shape: Shape, _ make: () -> Value) -> Value {
        values.withLock { values in
            if let value = values[shape] { return value }
            if values.count >= most { values.removeAll() }
            let value = make()
            values[shape] = value
            return value
        }
    }
}
