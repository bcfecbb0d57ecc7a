import TensorCore

/// Each row (the last dimension) divided by max(its Euclidean norm, 1e-12); float32.
package func normalizeRows(_ x: Variable, _ pass: Pass) -> Variable {
    let (unit, norms) = x.value.normalizedRows()
    return pass.output(unit, of: [x]) { dy in x.receive(unit.normalizedRowsGradient(norms: norms, gradient: dy)) }
}
