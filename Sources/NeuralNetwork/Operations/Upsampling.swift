import TensorCore

/// x [N, h, w, C] at height × width, not less than they are, by nearest neighbours.
package func enlarge(_ x: Variable, height: Int, width: Int, _ pass: Pass) -> Variable {
    let (h, w) = (x.value.shape[1], x.value.shape[2])
    if (h, w) == (height, width) { return x }
    return pass.output(x.value.enlarged(height: height, width: width), of: [x]) { dy in
        x.receive(dy.enlargedGradient(height: h, width: w))
    }
}
