import TensorCore

/// The maximum over kernel × kernel windows: x [N, H, W, C] → [N, H', W', C].
package func maxPool(_ x: Variable, kernel: Int, stride: Int, padding: Int, _ pass: Pass) -> Variable {
    let (output, winners) = x.readMap().maxPooled(x.shape, kernel: kernel, stride: stride, padding: padding)
    return pass.output(output, of: [x]) { dy in
        x.receive(
            dy.maxPooledGradient(
                winners: winners, inputShape: x.shape, kernel: kernel, stride: stride, padding: padding))
    }
}

/// The mean over all pixels: x [N, H, W, C] → float32 [N, C].
package func globalAveragePool(_ x: Variable, _ pass: Pass) -> Variable {
    pass.output(x.value.globallyAveraged(), of: [x]) { dy in
        x.receive(dy.globallyAveragedGradient(inputShape: x.value.shape, x.value.elementType))
    }
}
