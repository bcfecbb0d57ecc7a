import TensorCore

/// max(x, 0).
package func rectify(_ x: Variable, _ pass: Pass) -> Variable {
    let output = Tensor(x.value.shape, x.value.elementType)
    x.value.rectified(into: output)
    return pass.output(output, of: [x]) { dy in
        output.maskGradient(dy)
        x.receive(dy)
    }
}
