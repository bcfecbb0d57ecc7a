import ArgumentParser
import DataParallel
import DenseTasks
import ImagePipeline
import Learning
import MessagePassing
import NeuralNetwork
import TensorCore
import Training

/// A whole fine-tuning step without the loader, on random pictures.
struct DenseBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dense",
        abstract: "Times fine-tuning steps of a segmenter or a detector; start it under mpirun for several ranks.",
        discussion: """
            segmentation: FCN at output stride 16, 21 classes, 256 channels. detection: FCOS on P3 to P7 in torchvision's \
            convention, 91 classes, 7 objects in each picture. Both train every layer of the backbone, normalised by the batch.
            """)

    enum Kind: String, CaseIterable, ExpressibleByArgument { case segmentation, detection }

    @Argument(help: "segmentation or detection.") var kind: Kind
    @Option(help: "resnet18, 34, 50, 101 or 152.") var architecture = ResNetArchitecture.resnet50
    @Option(help: "Side of the pictures in pixels.", transform: viewSide) var size = 512
    @Option(help: "Pictures on each rank.", transform: batchSize) var batch = 2
    @Option(help: "Compute threads of each rank.", transform: threadCount) var threads = 1
    @Option(help: "float32 or bfloat16.") var precision = ElementType.float32
    @Option(help: "Steps that are timed, after two that are not.", transform: repetitionCount) var steps = 3
    @OptionGroup var output: OutputOptions

    func run() throws {
        runOnAllRanks(program: "pixpro-bench") { runtime in
            runtime.watchdog.begin(.other)
            try ComputeThreads.start(threads: threads)
            switch kind {
            case .segmentation: try measure(segmentation, labelledPictures(), runtime.world)
            case .detection: try measure(detection, picturesWithObjects(), runtime.world)
            }
        }
    }

    private func measure<Task: TrainingTask>(
        _ task: Task, _ pictures: Task.Samples.Batch, _ world: any Collective
    ) throws {
        let step = try TrainingStep(task, communicator: world, mode: .inline)
        let plan = BatchPlan(global: batch * world.size, ranks: world.size)
        func run() throws { _ = try step.run(task.phases[0], plan, learningRate: 0.01) { pictures } }
        for _ in 0..<2 { try run() }
        let time = median(try (0..<steps).map { _ in try seconds(run) }), traced = try TracedRun(of: run)
        guard world.isRoot else { return }
        output.print(
            Figure(
                name: kind.rawValue,
                settings: [
                    "architecture": .text(architecture.rawValue), "size": .number(size), "batch": .number(batch),
                    "precision": .text(precision.rawValue), "threads": .number(threads), "ranks": .number(world.size),
                ],
                values: [
                    "images/s": Double(batch * world.size) / time, "s/step": time,
                    "of it convolutions": traced.convolutions, "peak GB": Double(peakResidentBytes()) / 1e9,
                    "GB of tensors": Double(MemoryPool.shared.statistics.peakBytesInUse) / 1e9,
                    "GB held for them": Double(MemoryPool.shared.statistics.bytesHeld) / 1e9,
                ]))
    }

    // MARK: What is trained

    private var segmentation: SegmentationTask {
        var settings = SegmentationSettings()
        (settings.model.architecture, settings.model.elementType) = (architecture, precision)
        settings.cropSize = size
        return SegmentationTask(settings, classNames: (0..<21).map { "class \($0)" }, seed: 1)
    }

    private var detection: DetectionTask {
        var settings = DetectionSettings()
        (settings.model.architecture, settings.model.elementType) = (architecture, precision)
        settings.model.convention = .torchvision
        return DetectionTask(settings, categories: (0..<91).map { AnnotatedCategory(id: $0, name: "\($0)") }, seed: 1)
    }

    private func labelledPictures() -> LabelledBatch {
        var generator = KeyedGenerator(1)
        return LabelledBatch(
            images: normalTensor([batch, size, size, 3], &generator),
            labels: (0..<batch).map { _ in (0..<size * size).map { _ in UInt8(generator.integer(below: 21)) } })
    }

    private func picturesWithObjects() -> DetectionBatch {
        var generator = KeyedGenerator(1)
        let pictures = DetectionBatch(count: batch, sideMultiple: 32)
        for place in 0..<batch {
            pictures.images[place] = normalTensor([size, size, 3], &generator)
            pictures.objects[place] = (0..<7).map { _ in
                func side(from low: Int, below high: Int) -> Double { Double(low + generator.integer(below: high)) }
                let box = Box(
                    x: side(from: 0, below: size * 7 / 10), y: side(from: 0, below: size * 7 / 10),
                    width: side(from: size / 32, below: size / 4), height: side(from: size / 32, below: size / 4))
                return TargetObject(box: box, category: generator.integer(below: 91))
            }
        }
        return pictures
    }
}
