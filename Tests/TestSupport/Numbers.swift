package import TensorCore

/// A tensor of standard normal numbers that depend on `key` alone.
package func randomTensor(_ shape: [Int], key: UInt64, scale: Double = 1) -> Tensor {
    var generator = KeyedGenerator(key, 0x7465_7374)
    return Tensor(shape, (0..<shape.reduce(1, *)).map { _ in Float(scale * generator.normal()) })
}

/// |a − b| / (|b| + floor) over all elements (Frobenius norms).
package func relativeError(_ a: [Float], _ b: [Float], floor: Double = 1e-12) -> Double {
    precondition(a.count == b.count && !a.isEmpty, "\(a.count) against \(b.count) numbers")
    var difference = 0.0, size = 0.0
    for (x, y) in zip(a, b) {
        difference += Double(x - y) * Double(x - y)
        size += Double(y) * Double(y)
    }
    return difference.squareRoot() / (size.squareRoot() + floor)
}

package func relativeError(_ a: Tensor, _ b: Tensor) -> Double { relativeError(a.array, b.array) }
