import ArgumentParser
import CProcessorPeak
import Foundation
import NeuralNetwork
import TensorCore

/// Every distinct convolution of a ResNet, forward and backward.
struct KernelBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels", abstract: "Times each convolution shape of a ResNet in GFLOP/s.")

    @Option(help: "resnet18, 34, 50, 101 or 152.") var architecture = ResNetArchitecture.resnet50
    @Option(help: "Side of the views in pixels.", transform: viewSide) var imageSize = 224
    @Option(help: "Images.", transform: batchSize) var batch = 4
    @Option(help: "Compute threads.", transform: threadCount) var threads = 1
    @Option(help: "float32 or bfloat16.") var precision = ElementType.float32
    @Option(help: "Repetitions; the median counts.", transform: repetitionCount) var repetitions = 3
    @OptionGroup var output: OutputOptions

    func run() throws {
        try ComputeThreads.start(threads: threads)
        let convolutions = Convolutions()
        for (index, candidate) in EngineList.fastest.candidates(precision).enumerated() where !output.json {
            print("engine \(index + 1): \(candidate.engine.name), for \(candidate.rule)")
        }
        let peak = reportPeaks()
        var totals = (flops: 0.0, seconds: 0.0, stepSeconds: 0.0)
        for (geometry, uses) in shapes() {
            // Products of zeros draw less power than those of real maps, and run at a higher clock.
            var generator = KeyedGenerator(1)
            let x = normalTensor(geometry.inputShape, &generator).cast(to: precision)
            let y = normalTensor(geometry.outputShape, &generator).cast(to: precision)
            let w = normalTensor(geometry.weightShape, &generator)
            func median(_ kernel: () -> Void) -> Double {
                pixpro_bench.median((0..<repetitions).map { _ in seconds(kernel) })
            }
            let times = (
                forward: median { convolutions.forward(geometry, input: x, weight: w, output: y) },
                data: median {
                    convolutions.backwardData(
                        geometry, outputGradient: y, weight: w, inputGradient: x, accumulate: false)
                },
                weights: median {
                    convolutions.backwardWeights(
                        geometry, input: x, outputGradient: y, weightGradient: w, accumulate: false)
                }
            )
            let flops = 2 * Double(y.count) * Double(w.count / geometry.outputChannels)
            let sum = times.forward + times.data + times.weights
            totals.flops += 3 * flops * Double(uses)
            totals.seconds += sum * Double(uses)
            // A step runs both views through two networks forward and through one backward; pixels need no gradient.
            let dataSeconds = geometry.inputChannels == 3 ? 0 : times.data
            totals.stepSeconds += (4 * times.forward + 2 * dataSeconds + 2 * times.weights) * Double(uses)
            output.print(
                Figure(
                    name: "kernel",
                    settings: [
                        "shape": .text(
                            "\(geometry.kernel)×\(geometry.kernel)/\(geometry.stride) \(geometry.height)² "
                                + "\(geometry.inputChannels)→\(geometry.outputChannels)"),
                        "uses": .number(uses),
                    ],
                    values: [
                        "forward GFLOP/s": flops / times.forward / 1e9, "data GFLOP/s": flops / times.data / 1e9,
                        "weights GFLOP/s": flops / times.weights / 1e9, "of peak": 3 * flops / sum / 1e9 / peak,
                    ]))
        }
        output.print(
            Figure(
                name: "kernels",
                settings: [
                    "architecture": .text(architecture.rawValue), "batch": .number(batch),
                    "precision": .text(precision.rawValue), "threads": .number(threads),
                ],
                values: [
                    "GFLOP/s": totals.flops / totals.seconds / 1e9,
                    "of peak": totals.flops / totals.seconds / 1e9 / peak,
                    "s of a step/image": totals.stepSeconds / Double(batch),
                ]))
    }

    /// What the cores can do at most in this precision, in GFLOP/s: bfloat16 may also be multiplied as float32.
    private func reportPeaks() -> Double {
        let float32 = cprocessorpeak_float32(0.3) * Double(threads) / 1e9
        let bfloat16 = cprocessorpeak_bfloat16(0.3) * Double(threads) / 1e9
        output.print(
            Figure(
                name: "kernels peak", settings: ["threads": .number(threads)],
                values: ["float32 GFLOP/s": float32, "bfloat16 GFLOP/s": bfloat16]))
        return precision == .float32 ? float32 : max(float32, bfloat16)
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
        var size = (imageSize + 3) / 4, inputs = architecture.width(stage: 1)
        add(imageSize, 3, inputs, kernel: 7, stride: 2)
        for (index, count) in architecture.blocks.enumerated() {
            let width = architecture.width(stage: index + 1), outputs = architecture.channels(stage: index + 1)
            for block in 0..<count {
                let stride = index > 0 && block == 0 ? 2 : 1
                let outputSize = (size + stride - 1) / stride
                if stride != 1 || inputs != outputs { add(size, inputs, outputs, kernel: 1, stride: stride) }
                if architecture.usesBottlenecks {
                    add(size, inputs, width, kernel: 1)
                    add(size, width, width, kernel: 3, stride: stride)
                    add(outputSize, width, outputs, kernel: 1)
                } else {
                    add(size, inputs, width, kernel: 3, stride: stride)
                    add(outputSize, width, width, kernel: 3)
                }
                size = outputSize
                inputs = outputs
            }
        }
        return order.map { ($0, uses[$0]!) }
    }
}

extension ElementType: ExpressibleByArgument {}
