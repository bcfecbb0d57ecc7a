import Checkpointing
import DataParallel
import Files
import ImagePipeline
import Learning
import MessagePassing
import SystemPackage
import TensorCore

/// Keeps updates whose numbers were not finite, each in a folder of its own, so that `pixpro replay` can do them again.
///
/// A folder holds a checkpoint of the state in which the update was computed, and the samples that each rank had.
final class StepArchive<Task: TrainingTask> {
    private let directory: RunDirectory
    private let limit: Int
    private let task: Task
    private let elementType: ElementType
    private let pictures: Task.Pictures
    private let checkpoints: RunCheckpoints
    private let reporter: RunReporter
    private let communicator: any Collective
    /// The step that was kept last.
    private var kept: (step: Int, folder: FilePath)?

    init(
        _ configuration: RunConfiguration, _ task: Task, _ elementType: ElementType, pictures: Task.Pictures,
        checkpoints: RunCheckpoints, reporter: RunReporter, communicator: any Collective
    ) {
        (directory, limit) = (RunDirectory(configuration.run.directory), configuration.numbers.savedSteps)
        (self.task, self.elementType, self.pictures) = (task, elementType, pictures)
        (self.checkpoints, self.reporter, self.communicator) = (checkpoints, reporter, communicator)
    }

    /// Keeps the update of a phase that all ranks have just refused, unless there are enough of them; returns the folder. A
    /// failure is told, and training goes on. Collective.
    ///
    /// - Parameter position: at which it was computed.
    func keep(
        _ phase: Int, at position: RunPosition, order: SampleOrder, _ plan: BatchPlan,
        _ modules: [(name: String, counts: ModuleCounts)]
    ) throws -> FilePath? {
        let step = position.step + 1
        // Of a step with several phases the first is the cause.
        if let kept, kept.step == step { return kept.folder }
        let folder = directory.nonFiniteSteps.appending(CheckpointCatalog.name(ofStep: step))
        do {
            guard try make(folder) else { return nil }
            try communicator.agree(on: "saving the samples of step \(step)") {
                try writeSamples(folder, at: position, order: order, plan)
            }
            var facts = checkpoints.facts(position, modules)
            facts.counters[SavedStep.phase] = phase
            facts.counters[SavedStep.globalBatch] = plan.global
            facts.architecture[SavedStep.elementType] = elementType.rawValue
            if case .failed(let reason) = try checkpoints.keep(facts, in: folder) {
                drop(folder, step, "\(reason)")
                return nil
            }
            kept = (step, folder)
            return folder
        } catch let error as AgreedError {
            drop(folder, step, "\(error)")
            return nil
        }
    }

    /// Says why a step was not kept, and removes what there is of it: it shall not take the place of another.
    private func drop(_ folder: FilePath, _ step: Int, _ reason: String) {
        reporter.warn("step \(step) was not saved for a replay: \(reason)")
        guard communicator.isRoot else { return }
        do { try FileSystem.removeTree(folder) } catch { reporter.warn("a part of step \(step) remains: \(error)") }
    }

    /// Makes the folder of a step; false where there are as many steps as shall be kept.
    private func make(_ folder: FilePath) throws -> Bool {
        let isWanted = try communicator.agree(on: "making \(folder.shown)") {
            guard communicator.isRoot, limit > 0 else { return false }
            try FileSystem.makeDirectories(directory.nonFiniteSteps)
            // One of the same step is from before a resume.
            if FileSystem.exists(folder) { try FileSystem.removeTree(folder) }
            guard try FileSystem.names(in: directory.nonFiniteSteps).count < limit else { return false }
            try FileSystem.makeDirectories(folder)
            return true
        }
        return try communicator.broadcast([isWanted ? 1 : 0])[0] == 1
    }

    /// The samples of this rank, loaded anew: what they are is a function of the position. A file for each micro-batch.
    private func writeSamples(
        _ folder: FilePath, at position: RunPosition, order: SampleOrder, _ plan: BatchPlan
    ) throws {
        let index = pictures.index, rank = communicator.rank
        let requests = (0..<plan.microBatches).map { micro in
            DataSource.samples(at: position, micro: micro, order: order, plan: plan, rank: rank)
        }
        var waiting = requests.makeIterator()
        let loader = try BatchLoader(index: index, samples: task.samples(of: pictures), threads: 0, prefetch: 1) {
            waiting.next().map { (epoch: position.epoch, samples: $0) }
        }
        for (micro, samples) in requests.enumerated() {
            guard let batch = try loader.next() else { return }
            let places = plan.images(ofMicroBatch: micro, rank: rank)
            let names = zip(places, samples).map { place, sample in
                "\(place)\t\(position.epoch)\t\(sample)\t\(index.description(of: sample))"
            }
            try SafetensorsFile.write(
                zip(places, batch.packed).map { NamedTensor(name: "\($0)", bytes: $1) },
                metadata: ["place, epoch, sample, picture": names.joined(separator: "\n")],
                to: folder.appending(SavedStep.samplesName(rank: rank, micro: micro)))
        }
    }
}

/// What is in the folder of a kept step, beside what any checkpoint has.
enum SavedStep {
    static let phase = "replay.phase"
    static let globalBatch = "replay.globalBatch"
    static let elementType = "replay.elementType"
    static let samplesPrefix = "samples-"

    static func samplesName(rank: Int, micro: Int) -> FilePath.Component {
        FilePath.Component("\(samplesPrefix)rank-\(rank)-part-\(micro).safetensors")!
    }
}

extension NamedTensor {
    fileprivate init(name: String, bytes: [UInt8]) {
        self.init(name: name, elementType: .uint8, shape: [bytes.count])
        withMutableBytes { $0.copyBytes(from: bytes) }
    }
}
