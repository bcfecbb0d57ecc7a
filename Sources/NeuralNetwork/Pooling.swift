import TensorCore

/// The maximum over kernel × kernel windows: x [N, H, W, C] → [N, H', W', C].
public func maxPool(_ x: Variable, kernel: Int, stride: Int, padding: Int, _ pass: Pass) -> Variable {
    let (output, winners) = x.value.maxPooled(kernel: kernel, stride: stride, padding: padding)
    let y = Variable(output, needsGradient: pass.tape != nil)
    pass.tape?.record {
        guard let dy = y.takeGradient() else { return }
        x.receive(
            dy.maxPooledGradient(
                winners: winners, inputShape: x.value.shape, kernel: kernel, stride: stride, padding: padding))
    }
    return y
}

/// The mean over all pixels: x [N, H, W, C] → float32 [N, C].
public func globalAveragePool(_ x: Variable, _ pass: Pass) -> Variable {
    let y = Variable(x.value.globallyAveraged(), needsGradient: pass.tape != nil)
    pass.tape?.record {
        guard let dy = y.takeGradient() else { return }
        x.receive(dy.globallyAveragedGradient(inputShape: x.value.shape, x.value.elementType))
    }
    return y
}
