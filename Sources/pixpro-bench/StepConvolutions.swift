import NeuralNetwork
import PixelLearning
import TensorCore

/// A convolution of a training step of PixPro, and how often a step computes it.
struct StepConvolution {
    /// `encoder`, `projector` or `propagation`.
    let part: String
    let geometry: ConvolutionGeometry
    /// Layers of this shape.
    var layers: Int

    /// A step runs both views through two networks forward and through one backward; pixels need no gradient, and the
    /// momentum network propagates nothing.
    func count(_ direction: ConvolutionDirection) -> Int {
        switch direction {
        case .forward: (part == "propagation" ? 2 : 4) * layers
        case .data: geometry.inputChannels == 3 ? 0 : 2 * layers
        case .weights: 2 * layers
        }
    }

    /// Propagation is float32 whatever the maps of the encoder are.
    func elementType(_ precision: ElementType) -> ElementType { part == "propagation" ? .float32 : precision }

    /// For example `3×3/2 28² 64→128`.
    var shape: String {
        "\(geometry.kernel)×\(geometry.kernel)/\(geometry.stride) \(geometry.height)² "
            + "\(geometry.inputChannels)→\(geometry.outputChannels)"
    }

    /// All of a step with a network's defaults, each shape once.
    static func all(_ architecture: ResNetArchitecture, imageSize: Int, batch: Int) -> [StepConvolution] {
        var list: [StepConvolution] = []
        func add(_ part: String, _ size: Int, _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1) {
            let geometry = ConvolutionGeometry(
                batch: batch, height: size, width: size, inputChannels: inputs, outputChannels: outputs,
                kernel: kernel, stride: stride, padding: kernel / 2)
            if let known = list.firstIndex(where: { $0.geometry == geometry && $0.part == part }) {
                list[known].layers += 1
            } else {
                list.append(StepConvolution(part: part, geometry: geometry, layers: 1))
            }
        }
        var size = (imageSize + 3) / 4, inputs = architecture.width(stage: 1)
        add("encoder", imageSize, 3, inputs, kernel: 7, stride: 2)
        for (index, blocks) in architecture.blocks.enumerated() {
            let width = architecture.width(stage: index + 1), outputs = architecture.channels(stage: index + 1)
            for block in 0..<blocks {
                let stride = index > 0 && block == 0 ? 2 : 1
                let outputSize = (size + stride - 1) / stride
                if stride != 1 || inputs != outputs { add("encoder", size, inputs, outputs, kernel: 1, stride: stride) }
                if architecture.usesBottlenecks {
                    add("encoder", size, inputs, width, kernel: 1)
                    add("encoder", size, width, width, kernel: 3, stride: stride)
                    add("encoder", outputSize, width, outputs, kernel: 1)
                } else {
                    add("encoder", size, inputs, width, kernel: 3, stride: stride)
                    add("encoder", outputSize, width, width, kernel: 3)
                }
                (size, inputs) = (outputSize, outputs)
            }
        }
        let settings = PixelModelSettings()
        add("projector", size, inputs, settings.projectorWidth, kernel: 1)
        add("projector", size, settings.projectorWidth, settings.projectionChannels, kernel: 1)
        for _ in 0..<settings.transformLayers {
            add("propagation", size, settings.projectionChannels, settings.projectionChannels, kernel: 1)
        }
        return list
    }
}
