import Checkpointing
import DataParallel
import Files
import ImagePipeline
import Learning
package import MessagePassing
import NeuralNetwork
package import Settings
package import SystemPackage
import TensorCore

/// An update that was not finite, done again under the eyes of an `OperationWatch`: the command `pixpro replay`.
package struct StepReplay {
    /// For people.
    package let text: String
    /// Whether it was not finite again.
    package let isReproduced: Bool

    /// Does the update that a folder of a run's `nonfinite/` holds. The ranks share its samples. Collective.
    package init(folder: FilePath, tasks: [any TaskSettings.Type], communicator: any Collective) throws {
        let reader = try CheckpointReader.openNewest(runDirectory: folder, communicator: communicator) {
            Console.standardError.print("warning: \($0)")
        }
        guard let reader, reader.manifest.facts.counters[SavedStep.phase] != nil else {
            throw TrainingError(
                "\(folder.shown) holds no saved step: name a folder below nonfinite/ of a run, as its log does")
        }
        let configuration = try communicator.agree(on: "reading the configuration") {
            try RunConfiguration.parse(
                yaml: reader.manifest.facts.configuration, name: reader.directory.shown, tasks: tasks
            ).configuration
        }
        let saved = try SavedUpdate(configuration.definition, seed: configuration.run.seed, folder, reader)
        (text, isReproduced) = (saved.lines.joined(separator: "\n"), saved.isReproduced)
    }
}

/// What an update came to.
private struct SavedUpdate {
    let lines: [String]
    let isReproduced: Bool

    init<Definition: TaskDefinition>(
        _ definition: Definition, seed: Int, _ folder: FilePath, _ reader: CheckpointReader
    ) throws {
        let facts = reader.manifest.facts, communicator = reader.communicator
        guard let elementType = ElementType(rawValue: facts.architecture[SavedStep.elementType] ?? "") else {
            throw TrainingError("\(reader.directory.shown) does not say what its maps were stored as")
        }
        let task = try definition.makeTask(
            seed: seed, elementType: elementType, facts: facts.architecture, isRestored: true)
        try TrainingState(task).load(reader)
        let number = facts.counters[SavedStep.phase] ?? 0
        guard task.phases.indices.contains(number) else {
            throw TrainingError(
                "\(reader.directory.shown) is of phase \(number) of a step, which has \(task.phases.count)")
        }
        let plan = try Self.plan(facts, communicator.size), phase = task.phases[number]
        let samples = try communicator.agree(on: "opening the samples") { try SavedSamples(folder, count: plan.global) }
        let step = try TrainingStep(task, communicator: communicator, mode: .inline)
        let watch = OperationWatch()
        var micro = 0
        let outcome = try watch.watch {
            try step.computeGradients(phase, plan) {
                let places = plan.images(ofMicroBatch: micro, rank: communicator.rank)
                micro += 1
                return try communicator.agree(on: "reading the samples") { try samples.batch(places) }
            }
        }
        let loss = try communicator.sum([outcome.loss])[0]
        let name = phase.name.isEmpty ? "" : " (\(phase.name))"
        var lines = ["step \(facts.step + 1)\(name) of \(task.summary): loss \(loss)"]
        lines += Self.faults(of: task)
        let first = try Self.first(watch, communicator)
        let gradient = task.modules[phase.module].parameters.lazy.compactMap { parameter in
            parameter.gradient?.faults(called: "the gradient of \(parameter.name)")
        }.first
        if let first {
            lines.append("the first operation that is not finite is number \(first)")
        } else if let gradient {
            lines.append("all operations are finite, but summed over ranks and micro-batches \(gradient)")
        } else if loss.isFinite {
            lines.append(
                "everything is finite here: what it was not is no part of what was saved, such as a fault of memory, or other "
                    + "kernels of another processor")
        } else {
            lines.append("all \(watch.count) operations are finite, but what the loss adds up is not")
        }
        self.lines = lines
        isReproduced = first != nil || gradient != nil || !loss.isFinite
    }

    private static func plan(_ facts: CheckpointFacts, _ ranks: Int) throws -> BatchPlan {
        let global = facts.counters[SavedStep.globalBatch] ?? 0
        let parts = facts.counters[RunConfiguration.microBatchesKey] ?? 1
        guard global >= 1, parts >= 1, BatchPlan.fits(global: global, ranks: ranks, microBatches: parts) else {
            throw TrainingError(
                "the \(global) images of the step, in \(parts) parts, cannot be shared by \(ranks) ranks: start "
                    + "fewer, or one")
        }
        return BatchPlan(global: global, ranks: ranks, microBatches: parts)
    }

    /// Of the weights with which the update begins.
    private static func faults(of task: some TrainingTask) -> [String] {
        let all = task.states.flatMap(\.parameters).compactMap { $0.value.faults(called: $0.name) }
        return all.prefix(3).map { "before it \($0)" }
            + (all.count > 3 ? ["and \(all.count - 3) more parameters are not finite"] : [])
    }

    /// Of the ranks' findings the earliest. Collective.
    private static func first(_ watch: OperationWatch, _ communicator: any Collective) throws -> String? {
        let numbers = try communicator.allGather([Int64(watch.first?.number ?? 0)]).map { $0[0] }
        let texts = try communicator.allGather(watch.first?.text ?? "")
        guard let rank = numbers.indices.filter({ numbers[$0] > 0 }).min(by: { numbers[$0] < numbers[$1] }) else {
            return nil
        }
        return "\(numbers[rank])\(communicator.size > 1 ? " on rank \(rank)" : ""): \(texts[rank])"
    }
}

/// The samples of a saved step, in files by the ranks that had them.
private struct SavedSamples {
    private let files: [Int: SafetensorsFile]

    /// Throws where one of them is missing.
    init(_ folder: FilePath, count: Int) throws {
        var files: [Int: SafetensorsFile] = [:]
        for name in try FileSystem.names(in: folder) where name.string.hasPrefix(SavedStep.samplesPrefix) {
            let file = try SafetensorsFile(path: folder.appending(name))
            for tensor in file.tensors { if let place = Int(tensor.name) { files[place] = file } }
        }
        guard let missing = (0..<count).first(where: { files[$0] == nil }) else {
            self.files = files
            return
        }
        throw TrainingError(
            "\(folder.shown) lacks sample \(missing) of \(count): were all of its files copied?")
    }

    func batch<Batch: SampleBatch>(_ places: Range<Int>) throws -> Batch {
        let packed = try places.map { place in
            try files[place]!.read("\(place)").withBytes { Array($0) }
        }
        do {
            return try Batch(packed: packed)
        } catch is PackedReader.Damaged {
            throw FileError(
                path: files[places.lowerBound]!.path, reason: "holds damaged samples, or those of another task")
        }
    }
}
