/// Sizes of a two-dimensional convolution over NHWC maps with OHWI weights.
public struct ConvolutionGeometry: Hashable, Sendable, CustomStringConvertible {
    public var batch: Int
    public var height: Int
    public var width: Int
    public var inputChannels: Int
    public var outputChannels: Int
    public var kernel: Int
    public var stride: Int
    /// Zeros before the first pixel of each axis.
    public var padding: Int
    /// Zeros behind the last one.
    public var paddingAfter: Int
    public var dilation: Int

    public init(
        batch: Int, height: Int, width: Int, inputChannels: Int, outputChannels: Int, kernel: Int,
        stride: Int = 1, padding: Int = 0, paddingAfter: Int? = nil, dilation: Int = 1
    ) {
        (self.batch, self.height, self.width) = (batch, height, width)
        (self.inputChannels, self.outputChannels) = (inputChannels, outputChannels)
        (self.kernel, self.stride, self.padding) = (kernel, stride, padding)
        (self.paddingAfter, self.dilation) = (paddingAfter ?? padding, dilation)
        precondition(
            outputHeight > 0 && outputWidth > 0,
            "a \(kernel)×\(kernel) kernel with padding \(padding) does not fit a \(height)×\(width) map")
    }

    public var outputHeight: Int { (height + padding + paddingAfter - dilation * (kernel - 1) - 1) / stride + 1 }
    public var outputWidth: Int { (width + padding + paddingAfter - dilation * (kernel - 1) - 1) / stride + 1 }

    /// Of all images.
    var outputPixels: Int { batch * outputHeight * outputWidth }

    public var inputShape: [Int] { [batch, height, width, inputChannels] }
    public var outputShape: [Int] { [batch, outputHeight, outputWidth, outputChannels] }
    public var weightShape: [Int] { [outputChannels, kernel, kernel, inputChannels] }

    /// For example `3×3/2 28×28 64→128`, and what is unusual about it.
    public var description: String {
        "\(kernel)×\(kernel)/\(stride) \(height)×\(width) \(inputChannels)→\(outputChannels)"
            + (padding == paddingAfter ? "" : " padded by \(padding) and \(paddingAfter)")
            + (dilation == 1 ? "" : " dilated by \(dilation)")
    }

    /// Whether the convolution is one matrix product over pixels.
    var isPointwise: Bool { kernel == 1 && stride == 1 && padding == 0 && paddingAfter == 0 }

    /// The same convolution over another number of images.
    public func withBatch(_ images: Int) -> ConvolutionGeometry {
        var part = self
        part.batch = images
        return part
    }

    func check(input: Tensor, weight: Tensor, output: Tensor) {
        precondition(
            input.shape == inputShape && weight.shape == weightShape && output.shape == outputShape,
            "convolution of \(input.shape) by \(weight.shape) into \(output.shape); expected \(inputShape), "
                + "\(weightShape), \(outputShape)")
    }
}
