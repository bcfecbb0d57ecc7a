public import ArgumentParser
import CProcessorPeak
import Foundation
import NeuralNetwork
public import TensorCore

/// Every distinct convolution of a training step, in each direction.
struct KernelBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels", abstract: "Times each convolution of a training step in GFLOP/s.")

    @Option(help: "resnet18, 34, 50, 101 or 152.") var architecture = ResNetArchitecture.resnet50
    @Option(help: "Side of the views in pixels.", transform: viewSide) var imageSize = 224
    @Option(help: "Images.", transform: batchSize) var batch = 4
    @Option(help: "Compute threads.", transform: threadCount) var threads = 1
    @Option(help: "float32 or bfloat16.") var precision = ElementType.float32
    @Option(help: "Repetitions; the median counts.", transform: repetitionCount) var repetitions = 3
    @OptionGroup var output: OutputOptions

    /// What one convolution took in one direction.
    private struct Row {
        let operations: Double
        let count: Int
        let seconds: Double
    }

    func run() throws {
        try ComputeThreads.start(threads: threads)
        if !output.json { print("own kernels: \(precision.vectorInstructions?.rawValue ?? "none")") }
        for (index, candidate) in EngineList.fastest.candidates(precision).enumerated() where !output.json {
            print("engine \(index + 1): \(candidate.engine.name), for \(candidate.rule)")
        }
        let rate = reportRates()
        let rows = StepConvolution.all(architecture, imageSize: imageSize, batch: batch).flatMap { time($0, rate) }
        summarize(rows, rate)
    }

    private func time(_ convolution: StepConvolution, _ rate: Double) -> [Row] {
        let geometry = convolution.geometry, convolutions = Convolutions()
        let precision = convolution.elementType(precision)
        // Products of zeros draw less power than those of real maps, and run at a higher clock.
        var generator = KeyedGenerator(1)
        let x = normalTensor(geometry.inputShape, &generator).cast(to: precision)
        let y = normalTensor(geometry.outputShape, &generator).cast(to: precision)
        let w = normalTensor(geometry.weightShape, &generator), dw = Tensor(geometry.weightShape)
        let operations = 2 * Double(y.count) * Double(w.count / geometry.outputChannels)
        return ConvolutionDirection.allCases.filter { convolution.count($0) > 0 }.map { direction in
            func run() {
                switch direction {
                case .forward: convolutions.forward(geometry, input: x, weight: w, output: y)
                case .data:
                    convolutions.backwardData(
                        geometry, outputGradient: y, weight: w, inputGradient: x, accumulate: false)
                case .weights:
                    convolutions.backwardWeights(
                        geometry, input: x, outputGradient: y, weightGradient: dw, accumulate: false)
                }
            }
            // The first one packs weights and makes plans, once for many steps.
            run()
            let times = (0..<repetitions).map { _ in seconds(run) }
            let row = Row(operations: operations, count: convolution.count(direction), seconds: median(times))
            let engine = EngineList.fastest.engine(for: geometry, direction, precision)
            output.print(
                Figure(
                    name: "kernel",
                    settings: [
                        "shape": .text(convolution.shape), "of": .text(convolution.part),
                        "direction": .text(direction.rawValue), "precision": .text(precision.rawValue),
                        "in a step": .number(row.count), "engine": .text(engine.name),
                    ],
                    values: [
                        "GFLOP/s": operations / row.seconds / 1e9, "of the rate": operations / row.seconds / rate,
                        "GFLOP/s at best": operations / times.min()! / 1e9,
                        "ms of a step": 1e3 * row.seconds * Double(row.count),
                    ]))
            return row
        }
    }

    private func summarize(_ rows: [Row], _ rate: Double) {
        func sum(_ value: (Row) -> Double, _ rows: [Row]) -> Double {
            rows.reduce(0) { $0 + Double($1.count) * value($1) }
        }
        let seconds = sum(\.seconds, rows), speed = sum(\.operations, rows) / seconds
        // By their share of the rate.
        let worst = rows.sorted { $0.operations / $0.seconds < $1.operations / $1.seconds }.prefix(10)
        output.print(
            Figure(
                name: "kernels",
                settings: [
                    "architecture": .text(architecture.rawValue), "batch": .number(batch),
                    "precision": .text(precision.rawValue), "threads": .number(threads),
                ],
                values: [
                    "GFLOP/s": speed / 1e9, "of the rate": speed / rate, "s of a step/image": seconds / Double(batch),
                    "of it in the ten rows that are furthest from the rate": sum(\.seconds, Array(worst)) / seconds,
                ]))
    }

    /// What the cores can do at most in this precision, in operations per second: bfloat16 may also be multiplied as
    /// float32, and where there are tiles they count with their loads.
    private func reportRates() -> Double {
        let float32 = cprocessorpeak_float32(0.3) * Double(threads)
        let bfloat16 = cprocessorpeak_bfloat16(0.3) * Double(threads)
        let tiles = cprocessorpeak_tiles(0.3) * Double(threads)
        output.print(
            Figure(
                name: "kernels peak", settings: ["threads": .number(threads)],
                values: [
                    "float32 GFLOP/s": float32 / 1e9, "bfloat16 GFLOP/s": bfloat16 / 1e9,
                    "bfloat16 GFLOP/s in tiles from 96 KB": tiles / 1e9,
                ]))
        return precision == .float32 ? float32 : max(float32, bfloat16, tiles)
    }
}

extension ElementType: ExpressibleByArgument {}
