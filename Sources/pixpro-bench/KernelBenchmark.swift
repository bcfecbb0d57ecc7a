import ArgumentParser
import Foundation
import NeuralNetwork
import TensorCore

/// Every distinct convolution of a ResNet, forward and backward.
struct KernelBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels", abstract: "Times each convolution shape of a ResNet in GFLOP/s.")

    @Option(help: "resnet18, 34, 50, 101 or 152.") var architecture = ResNetArchitecture.resnet50
    @Option(help: "Side of the views in pixels.") var imageSize = 224
    @Option(help: "Images.") var batch = 4
    @Option(help: "Compute threads.") var threads = 1
    @Option(help: "float32 or bfloat16.") var precision = ElementType.float32
    @Option(help: "Repetitions; the median counts.") var repetitions = 3

    func run() throws {
        ComputeThreads.start(threads: threads)
        let convolutions = Convolutions()
        var totals = (flops: 0.0, seconds: 0.0)
        for (geometry, uses) in shapes() {
            let x = Tensor.zeros(geometry.inputShape, precision), y = Tensor.zeros(geometry.outputShape, precision)
            let w = Tensor.zeros(geometry.weightShape)
            let flops = 2 * Double(y.count) * Double(w.count / geometry.outputChannels)
            let times = [
                median((0..<repetitions).map { _ in
                    seconds { convolutions.forward(geometry, input: x, weight: w, output: y) }
                }),
                median((0..<repetitions).map { _ in
                    seconds {
                        convolutions.backwardData(
                            geometry, outputGradient: y, weight: w, inputGradient: x, accumulate: false)
                    }
                }),
                median((0..<repetitions).map { _ in
                    seconds {
                        convolutions.backwardWeights(
                            geometry, input: x, outputGradient: y, weightGradient: w, accumulate: false)
                    }
                }),
            ]
            totals.flops += 3 * flops * Double(uses)
            totals.seconds += times.reduce(0, +) * Double(uses)
            print(
                String(
                    format: "kernel %d×%d/%d %3d² %4d→%4d ×%d: forward %6.1f, data %6.1f, weights %6.1f GFLOP/s",
                    geometry.kernel, geometry.kernel, geometry.stride, geometry.height, geometry.inputChannels,
                    geometry.outputChannels, uses, flops / times[0] / 1e9, flops / times[1] / 1e9,
                    flops / times[2] / 1e9))
        }
        print(String(format: "kernels %@ all: %.1f GFLOP/s", architecture.rawValue, totals.flops / totals.seconds / 1e9))
    }

    /// The convolutions of the network with how often each occurs, from its weights' shapes.
    private func shapes() -> [(ConvolutionGeometry, Int)] {
        var order: [ConvolutionGeometry] = [], uses: [ConvolutionGeometry: Int] = [:]
        func add(_ size: Int, _ inputs: Int, _ outputs: Int, kernel: Int, stride: Int = 1) {
            let geometry = ConvolutionGeometry(
                batch: batch, height: size, width: size, inputChannels: inputs, outputChannels: outputs,
                kernel: kernel, stride: stride, padding: kernel / 2)
            if uses[geometry] == nil { order.append(geometry) }
            uses[geometry, default: 0] += 1
        }
        add(imageSize, 3, 64, kernel: 7, stride: 2)
        var size = imageSize / 4, inputs = 64
        for (index, count) in architecture.blocks.enumerated() {
            let width = 64 << index, outputs = architecture.channels(stage: index + 1)
            for block in 0..<count {
                let stride = index > 0 && block == 0 ? 2 : 1
                if stride != 1 || inputs != outputs { add(size, inputs, outputs, kernel: 1, stride: stride) }
                if architecture.usesBottlenecks {
                    add(size, inputs, width, kernel: 1)
                    add(size, width, width, kernel: 3, stride: stride)
                    add(size / stride, width, outputs, kernel: 1)
                } else {
                    add(size, inputs, width, kernel: 3, stride: stride)
                    add(size / stride, width, width, kernel: 3)
                }
                size /= stride
                inputs = outputs
            }
        }
        return order.map { ($0, uses[$0]!) }
    }
}

extension ElementType: ExpressibleByArgument {}
