import TensorCore

/// a + b, of equal shapes.
package func add(_ a: Variable, _ b: Variable, _ pass: Pass) -> Variable {
    precondition(a.value.shape == b.value.shape, "cannot add \(b.value.shape) to \(a.value.shape)")
    let output = a.value.copy()
    output.addInPlace(b.value)
    return pass.output(output, of: [a, b]) { dy in
        if b.needsGradient { b.receive(a.needsGradient ? dy.copy() : dy) }
        a.receive(dy)
    }
}

/// a + weight · b of two losses, each [1].
package func add(_ a: Variable, _ b: Variable, weight: Float, _ pass: Pass) -> Variable {
    let output = Tensor([1], [a.value.floats[0] + weight * b.value.floats[0]])
    return pass.output(output, of: [a, b]) { dy in
        a.receive(dy.copy())
        b.receive(Tensor([1], [weight * dy.floats[0]]))
    }
}
