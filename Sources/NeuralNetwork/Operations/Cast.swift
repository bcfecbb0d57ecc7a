package import TensorCore

/// x in another element type; its gradient comes back in x's own.
package func cast(_ x: Variable, to type: ElementType, _ pass: Pass) -> Variable {
    guard x.value.elementType != type else { return x }
    func casted(_ tensor: Tensor, to type: ElementType) -> Tensor {
        let result = tensor.cast(to: type)
        MemoryTraffic.count(read: tensor.byteCount, written: result.byteCount)
        return result
    }
    return pass.output(casted(x.value, to: type), of: [x]) { dy in x.receive(casted(dy, to: x.value.elementType)) }
}
