import TensorCore

/// max(x, 0).
public func rectify(_ x: Variable, _ pass: Pass) -> Variable {
    let output = Tensor(x.value.shape)
    x.value.rectified(into: output)
    let y = Variable(output, needsGradient: pass.tape != nil)
    pass.tape?.record {
        guard let dy = y.takeGradient() else { return }
        output.maskGradient(dy)
        x.receive(dy)
    }
    return y
}

/// x in another element type; its gradient comes back in x's own.
public func cast(_ x: Variable, to type: ElementType, _ pass: Pass) -> Variable {
    guard x.value.elementType != type else { return x }
    // Images are cast as well: a gradient for them would cost a convolution that nobody reads.
    let y = Variable(x.value.cast(to: type), needsGradient: pass.tape != nil && x.needsGradient)
    pass.tape?.record {
        guard let dy = y.takeGradient() else { return }
        x.receive(dy.cast(to: x.value.elementType))
    }
    return y
}

/// a + b, of equal shapes.
public func add(_ a: Variable, _ b: Variable, _ pass: Pass) -> Variable {
    precondition(a.value.shape == b.value.shape, "cannot add \(b.value.shape) to \(a.value.shape)")
    let output = a.value.copy()
    output.addInPlace(b.value)
    let y = Variable(output, needsGradient: pass.tape != nil)
    pass.tape?.record {
        guard let dy = y.takeGradient() else { return }
        if b.needsGradient { b.receive(dy.copy()) }
        a.receive(dy)
    }
    return y
}

/// Each row (the last dimension) divided by max(its Euclidean norm, 1e-12).
public func normalizeRows(_ x: Variable, _ pass: Pass) -> Variable {
    let (unit, norms) = x.value.normalizedRows()
    let y = Variable(unit, needsGradient: pass.tape != nil)
    pass.tape?.record {
        guard let dy = y.takeGradient() else { return }
        x.receive(unit.normalizedRowsGradient(norms: norms, gradient: dy))
    }
    return y
}
