import ArgumentParser
import DataParallel
import ImagePipeline
import Inpainting
import Learning
import MessagePassing
import NeuralNetwork
import TensorCore
import Training

/// Filling of pictures, and updates of generator and critics without the loader: what the peer's `inpainting_speed.py`
/// times.
struct InpaintingBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inpainting", abstract: "Times filling holes, training to fill them, and the attention alone.")

    enum Part: String, CaseIterable, ExpressibleByArgument { case inference, training, layer }

    @Argument(help: "inference, training or layer.") var part: Part
    @Option(help: "Side of the pictures: 512, of training 256 if left out.", transform: viewSide) var size: Int?
    @Option(help: "Pictures of an update.", transform: batchSize) var batch = 4
    @Option(help: "Channels of the first layers.", transform: wholeNumber(in: 2...512)) var channels = 32
    @Flag(help: "Without the attention branch.") var baseline = false
    @Option(help: "Compute threads.", transform: threadCount) var threads = 1
    @Option(help: "float32 or bfloat16.") var precision = ElementType.float32
    @Option(help: "Repetitions that are timed, after one that is not.", transform: repetitionCount) var steps = 3
    @OptionGroup var output: OutputOptions

    private var side: Int { size ?? (part == .training ? 256 : 512) }

    func run() throws {
        runOnAllRanks(program: "pixpro-bench") { runtime in
            runtime.watchdog.begin(.other)
            try ComputeThreads.start(threads: threads)
            let values: KeyValuePairs<String, Double> =
                switch part {
                case .inference: try figures(try fill())
                case .layer: try figures(try attend())
                case .training: try train(runtime.world)
                }
            output.print(
                Figure(
                    name: "inpainting \(part.rawValue)",
                    settings: [
                        "size": .number(side), "channels": .number(channels),
                        "batch": .number(part == .training ? batch : 1),
                        "precision": .text(precision.rawValue), "threads": .number(threads),
                    ], values: values))
            output.print(
                Figure(name: "memory", values: ["peak GB": Double(peakResidentBytes()) / 1e9]))
        }
    }

    /// The median of some repetitions, after one that is not timed.
    private func time(_ work: () throws -> Void) throws -> Double {
        try work()
        return median(try (0..<steps).map { _ in try seconds(work) })
    }

    /// Of one picture: seconds, and the shares of them that go to convolutions and attention.
    private func figures(_ work: () throws -> Void) throws -> KeyValuePairs<String, Double> {
        let time = try time(work), traced = try TracedRun(of: work)
        return [
            "s/picture": time, "of it convolutions": traced.share("convolution"),
            "attention": traced.share("attention"),
        ]
    }

    private var settings: InpainterSettings {
        var settings = InpainterSettings()
        (settings.channels, settings.hasAttention, settings.elementType) = (channels, !baseline, precision)
        return settings
    }

    /// A picture of noise with a hole in the middle.
    private func pictures(_ count: Int) -> MaskedBatch {
        var generator = KeyedGenerator(1)
        let images = normalTensor([count, side, side, 3], &generator), masks = Tensor.zeros([count, side, side, 1])
        let window = PixelWindow(top: side / 4, left: side / 4, height: side / 2, width: side / 2)
        for image in 0..<count {
            for y in window.top..<window.top + window.height {
                for x in window.left..<window.left + window.width {
                    masks.floats[(image * side + y) * side + x] = 1
                }
            }
        }
        return MaskedBatch(
            images: images.activated(.identity), masks: masks, windows: Array(repeating: window, count: count))
    }

    private func fill() throws -> () throws -> Void {
        let generator = Generator(settings, seed: 1), picture = pictures(1), convolutions = Convolutions()
        return {
            _ = generator.fill(
                image: picture.images, mask: picture.masks,
                Pass(mode: .evaluation, elementType: precision, convolutions: convolutions))
        }
    }

    private func attend() throws -> () throws -> Void {
        var generator = KeyedGenerator(2)
        let layer = ContextualAttention(InpaintingDialect.published.attention), picture = pictures(1)
        let features = Variable(normalTensor([1, side / 4, side / 4, 4 * channels], &generator).cast(to: precision))
        let masks = PatchValidity.reduced(picture.masks.reshaped([1, side, side]), by: 4, .rectangle)
        return {
            _ = layer(features, features, masks: masks, .rectangle, Pass(mode: .evaluation, elementType: precision))
        }
    }

    /// Seconds of an update of the critics and of the generator.
    private func train(_ communicator: any Collective) throws -> KeyValuePairs<String, Double> {
        var whole = InpaintingSettings()
        (whole.model, whole.data.imageSize) = (settings, side)
        let task = InpaintingTask(whole, seed: 1), pictures = pictures(batch)
        let step = try TrainingStep(task, communicator: communicator, mode: .inline)
        let plan = BatchPlan(global: batch * communicator.size, ranks: communicator.size)
        func update(_ phase: TrainingPhase) throws -> Double {
            try time { _ = try step.run(phase, plan, learningRate: 1e-4) { pictures } }
        }
        let critics = try update(task.phases[0]), generator = try update(task.phases.last!)
        let count = Double(batch * communicator.size), published = 5 * critics + generator
        return [
            "s/critics' update": critics, "s/generator's update": generator,
            "images/s of one each": 2 * count / (critics + generator), "images/s of 5 + 1": 6 * count / published,
        ]
    }
}
