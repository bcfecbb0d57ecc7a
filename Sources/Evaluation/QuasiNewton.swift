/// Minimises a smooth convex function by L-BFGS: Nocedal and Wright, Numerical Optimization, 2006, algorithm 7.5, with
/// steps that are shortened until they decrease the function sufficiently (their equation 3.4).
///
/// Ranks that are given the same values and gradients take the same steps.
package struct QuasiNewton {
    package typealias Function = (_ point: [Double]) throws -> (value: Double, gradient: [Double])

    package private(set) var point: [Double]
    /// Steps taken and the changes of the gradient along them, the newest last.
    private var memory: [(step: [Double], change: [Double], product: Double)] = []
    private var known: (value: Double, gradient: [Double])?

    private static let remembered = 10
    private static let sufficientDecrease = 1e-4
    private static let mostShortenings = 20

    package init(from start: [Double]) { point = start }

    /// Takes one step; false if none decreases the function any more.
    package mutating func step(_ function: Function) rethrows -> Bool {
        let (value, gradient) = try known ?? function(point)
        known = (value, gradient)
        let direction = direction(gradient)
        let slope = dot(gradient, direction)
        guard slope < 0 else { return false }
        // Without curvature known yet, a first step of length one.
        var length = memory.isEmpty ? min(1, 1 / (-slope).squareRoot()) : 1
        for _ in 0..<Self.mostShortenings {
            let next = zip(point, direction).map { $0 + length * $1 }
            let (nextValue, nextGradient) = try function(next)
            if nextValue <= value + Self.sufficientDecrease * length * slope {
                remember(step: direction.map { length * $0 }, change: zip(nextGradient, gradient).map { $0 - $1 })
                point = next
                known = (nextValue, nextGradient)
                return true
            }
            // The minimum of the parabola through what is known, within bounds.
            let minimum = -slope * length * length / (2 * (nextValue - value - slope * length))
            length = minimum.isFinite ? min(max(minimum, length / 10), length / 2) : length / 10
        }
        return false
    }

    /// −H·gradient, H being the memory's estimate of the inverse of the second derivatives (algorithm 7.4).
    private func direction(_ gradient: [Double]) -> [Double] {
        var q = gradient.map { -$0 }
        var shares = [Double](repeating: 0, count: memory.count)
        for i in memory.indices.reversed() {
            shares[i] = dot(memory[i].step, q) / memory[i].product
            add(-shares[i], memory[i].change, to: &q)
        }
        if let last = memory.last {
            let scale = last.product / dot(last.change, last.change)
            for i in q.indices { q[i] *= scale }
        }
        for i in memory.indices {
            add(shares[i] - dot(memory[i].change, q) / memory[i].product, memory[i].step, to: &q)
        }
        return q
    }

    private mutating func remember(step: [Double], change: [Double]) {
        let product = dot(step, change)
        // Of a convex function it is positive but for rounding.
        guard product > 0 else { return }
        if memory.count == Self.remembered { memory.removeFirst() }
        memory.append((step, change, product))
    }
}

private func dot(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for i in a.indices { sum += a[i] * b[i] }
    return sum
}

private func add(_ factor: Double, _ values: [Double], to target: inout [Double]) {
    for i in target.indices { target[i] += factor * values[i] }
}
