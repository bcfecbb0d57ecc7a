import TensorCore

/// a + b, of equal shapes.
public func add(_ a: Variable, _ b: Variable, _ pass: Pass) -> Variable {
    precondition(a.value.shape == b.value.shape, "cannot add \(b.value.shape) to \(a.value.shape)")
    let output = a.value.copy()
    output.addInPlace(b.value)
    return pass.output(output, of: [a, b]) { dy in
        if b.needsGradient { b.receive(a.needsGradient ? dy.copy() : dy) }
        a.receive(dy)
    }
}
