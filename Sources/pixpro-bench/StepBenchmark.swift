import ArgumentParser
import CAllocationCount
import DataParallel
import Foundation
import ImagePipeline
import Learning
import MessagePassing
import NeuralNetwork
import Optimization
import PixelLearning
import SystemPackage
import TensorCore
import Training

/// A whole training step without the loader, on random views: what the peer's `step_speed.py` times.
struct StepBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step", abstract: "Times training steps on random views; start it under mpirun for several ranks.")

    @Option(help: "resnet18, 34, 50, 101 or 152.") var architecture = ResNetArchitecture.resnet50
    @Option(help: "Side of the views in pixels.", transform: viewSide) var imageSize = 224
    @Option(help: "Image pairs on each rank.", transform: batchSize) var batch = 8
    @Option(help: "Compute threads of each rank.", transform: threadCount) var threads = 1
    @Option(help: "float32 or bfloat16.") var precision = ElementType.float32
    @Flag(inversion: .prefixedNo, help: "On several ranks, compute one pass while others wait for their sums.")
    var interleavePasses = true
    @Option(help: "Steps that are timed, after two that are not.", transform: repetitionCount) var steps = 5
    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "One key of the method, such as method.name=pixcontrast; may be repeated.", valueName: "key=value"))
    var set: [String] = []
    @Option(
        help: "Report so many allocations of 4 KiB or more after the second step, with their callers.",
        transform: wholeNumber(in: 0...1_000_000))
    var reportAllocations = 0
    @Option(help: ArgumentHelp("Write the first \(StepTrace.steps) timed steps as a Chrome trace.", valueName: "file"))
    var trace: String?
    @Flag(help: "Print what each operation of a step reads and writes beyond the cache, counted from shapes.")
    var traffic = false
    @OptionGroup var output: OutputOptions

    func run() throws {
        runOnAllRanks(program: "pixpro-bench") { runtime in
            runtime.watchdog.begin(.other)
            try ComputeThreads.start(threads: threads)
            let task = PretrainingTask(
                try runtime.world.agree(on: "reading the method's keys") { try settings() })
            let step = try TrainingStep(
                task, communicator: runtime.world, mode: .inline, interleavesPasses: interleavePasses && !traffic)
            let views = randomViews(batch: batch, imageSize: imageSize)
            let plan = BatchPlan(global: batch * runtime.world.size, ranks: runtime.world.size)
            func run() throws {
                step.moveAverages(ScheduleProgress(done: 0, of: 1))
                _ = try step.run(task.phases[0], plan, learningRate: 0.1) {
                    // What a loader would have written.
                    MemoryTraffic.count(written: views.view1.byteCount + views.view2.byteCount)
                    MemoryTraffic.current?.end("TwoViewBatch", .loading)
                    return views
                }
            }
            for _ in 0..<2 { try run() }
            let allocations = callocationcount()
            callocationcount_report(Int32(reportAllocations))
            let recording = try trace.map { try StepTrace(path: FilePath($0), communicator: runtime.world) }
            let waited = step.statistics.statistics.exposedSeconds
            let times = try (1...steps).map { number in
                let time = try seconds { try Trace.span("step \(number)") { try run() } }
                try recording?.stepped()
                return time
            }
            let waiting = (step.statistics.statistics.exposedSeconds - waited) / times.reduce(0, +)
            let allocationsPerStep = Double(callocationcount() - allocations) / Double(steps)
            try recording?.finish()
            let traced = try TracedRun(of: run), account = traffic ? MemoryTraffic() : nil
            try account?.watch(run)
            guard runtime.world.isRoot else { return }
            let time = median(times)
            output.print(
                Figure(
                    name: "step",
                    settings: [
                        "architecture": .text(architecture.rawValue), "size": .number(imageSize),
                        "batch": .number(batch), "precision": .text(precision.rawValue), "threads": .number(threads),
                        "ranks": .number(runtime.world.size),
                        "method": .text(set.isEmpty ? "defaults" : set.joined(separator: " ")),
                    ],
                    values: [
                        "images/s": Double(batch * runtime.world.size) / time, "s/step": time,
                        "of it convolutions": traced.convolutions, "waiting for statistics": waiting,
                        "peak GB": Double(peakResidentBytes()) / 1e9,
                        "GB of tensors": Double(MemoryPool.shared.statistics.peakBytesInUse) / 1e9,
                        "large allocations/step": allocationsPerStep,
                        "large allocations before": Double(allocations),
                    ]))
            if let account { output.print(TrafficTable(account, pairs: batch)) }
        }
    }

    func validate() throws {
        if let other = set.first(where: { !$0.hasPrefix("method.") }) {
            throw ValidationError("--set \(other): only keys that begin with method. change a step of random views")
        }
    }

    /// The defaults, with the method's keys that were given.
    private func settings() throws -> PretrainingSettings {
        let configuration = try RunConfiguration.load(file: nil, overrides: set, tasks: [PretrainingSettings.self])
            .configuration
        var settings = try configuration.settings(PretrainingSettings.self).prepared(seed: 0, elementType: precision)
        settings.model.architecture = architecture
        return settings
    }
}

/// Two views of noise that overlap.
func randomViews(batch: Int, imageSize: Int) -> TwoViewBatch {
    var generator = KeyedGenerator(1)
    func view() -> Tensor { normalTensor([batch, imageSize, imageSize, 3], &generator) }
    func boxes(_ box: [Float]) -> Tensor { Tensor([batch, 4], (0..<batch).flatMap { _ in box }) }
    return TwoViewBatch(
        view1: view(), view2: view(), box1: boxes([0.1, 0.1, 0.8, 0.8]), box2: boxes([0.2, 0.2, 0.9, 0.9]))
}

extension ResNetArchitecture: ExpressibleByArgument {
    package static var allValueStrings: [String] { published.map(\.rawValue) }
}
