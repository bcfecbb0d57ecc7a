import ArgumentParser
import Foundation
import ImagePipeline
import MessagePassing
import NeuralNetwork
import Optimization
import PixelLearning
import TensorCore
import Training

/// A whole training step without the loader, on random views: what the peer's `step_speed.py` times.
struct StepBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step", abstract: "Times training steps on random views; start it under mpirun for several ranks.")

    @Option(help: "resnet18, 34, 50, 101 or 152.") var architecture = ResNetArchitecture.resnet50
    @Option(help: "Side of the views in pixels.") var imageSize = 224
    @Option(help: "Image pairs on each rank.") var batch = 8
    @Option(help: "Compute threads of each rank.") var threads = 1
    @Option(help: "float32 or bfloat16.") var precision = ElementType.float32
    @Option(help: "Steps that are timed, after one that is not.") var steps = 5

    func run() throws {
        runOnAllRanks { runtime in
            ComputeThreads.start(threads: threads)
            var settings = PixProSettings()
            settings.architecture = architecture
            settings.elementType = precision
            let model = PixPro(settings, seed: 0)
            let step = try TrainingStep(
                model: model, optimizer: LARS(model.online.parameters), communicator: runtime.world, mode: .inline)
            let views = randomViews()
            var times: [Double] = []
            for _ in 0...steps {
                times.append(
                    try seconds {
                        _ = try step.run(microBatches: 1, momentum: 0.99, learningRate: 0.1) { views }
                    })
            }
            let time = median(Array(times.dropFirst()))
            guard runtime.world.isRoot else { return }
            let rate = Double(batch * runtime.world.size) / time
            let memory = MemoryPool.shared.statistics
            print(
                String(
                    format: "step %@ batch %d size %d %@ threads %d ranks %d: %.3f images/s, %.3f s/step, "
                        + "peak %.2f GB, tensors %.2f GB", architecture.rawValue, batch, imageSize, precision.rawValue, threads,
                    runtime.world.size, rate, time, Double(peakResidentBytes()) / 1e9,
                    Double(memory.peakBytesInUse) / 1e9))
        }
    }

    private func randomViews() -> TwoViewBatch {
        var generator = KeyedGenerator(1)
        func view() -> Tensor {
            let tensor = Tensor([batch, imageSize, imageSize, 3])
            for i in 0..<tensor.count { tensor.floats[i] = Float(generator.normal()) }
            return tensor
        }
        func boxes(_ box: [Float]) -> Tensor { Tensor([batch, 4], (0..<batch).flatMap { _ in box }) }
        return TwoViewBatch(
            view1: view(), view2: view(), box1: boxes([0.1, 0.1, 0.8, 0.8]), box2: boxes([0.2, 0.2, 0.9, 0.9]))
    }
}

extension ResNetArchitecture: ExpressibleByArgument {}
