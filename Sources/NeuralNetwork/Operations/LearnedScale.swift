import TensorCore

/// x times one learned number, 1 at first: what tells the levels of a shared head apart (FCOS, Tian et al. 2019).
package struct LearnedScale {
    package let scale: Parameter

    package init(_ scope: Scope) { scale = scope.parameter("scale", [1], .constant(1)) }

    /// x […] of float32 → scale · x.
    package func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
        let output = x.value.copy()
        output.scaleInPlace(scale.value.floats[0])
        return pass.output(output, of: [x], [scale]) { [scale] dy in
            let slope = Float(dy.innerProduct(x.value))
            scale.accumulate { gradient, beta in
                gradient.floats[0] = slope + (beta == 0 ? 0 : gradient.floats[0])
            }
            dy.scaleInPlace(scale.value.floats[0])
            x.receive(dy)
        }
    }
}
