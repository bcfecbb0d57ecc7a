package import TensorCore

/// x in another element type; its gradient comes back in x's own.
package func cast(_ x: Variable, to type: ElementType, _ pass: Pass) -> Variable {
    guard x.value.elementType != type else { return x }
    return pass.output(x.value.cast(to: type), of: [x]) { dy in x.receive(dy.cast(to: x.value.elementType)) }
}
