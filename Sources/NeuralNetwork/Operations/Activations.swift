package import TensorCore

/// a(x).
package func activate(_ x: Variable, _ activation: Activation, _ pass: Pass) -> Variable {
    let output = x.value.activated(activation)
    return pass.output(output, of: [x]) { dy in
        output.scaleBySlope(of: activation, dy)
        x.receive(dy)
    }
}

/// x within ±limit; the gradient passes within it and at it, and nowhere else. float32.
package func clip(_ x: Variable, to limit: Float, _ pass: Pass) -> Variable {
    pass.output(x.value.clipped(to: limit), of: [x]) { dy in
        x.value.clipGradient(to: limit, dy)
        x.receive(dy)
    }
}
