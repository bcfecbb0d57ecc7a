import Checkpointing
import DataParallel
import Files
import ImagePipeline
package import MessagePassing
import NeuralNetwork
import Optimization
package import SystemPackage
import TensorCore

/// Verifies a reference, of whichever of the subjects its metadata name. Collective; the report is the same on all ranks.
package func verify(
    _ path: FilePath, subjects: [any ReferenceSubject.Type], communicator: any Collective
) throws -> VerificationReport {
    if communicator.size > 1 {
        let checksum = try communicator.agree(on: "reading the reference") {
            try CRC32C(of: InputFile(path: path)).text
        }
        try verifyRanksAgree(
            onText: checksum, subject: "the reference \(path.shown)", remedy: "copy one file to every host",
            over: communicator)
    }
    let subject = try communicator.agree(on: "reading the reference") {
        let reference = try ReferenceFile(path: path)
        guard let type = subjects.first(where: { $0.recognizes(reference.metadata) }) else {
            let name = reference.metadata.has("task") ? try reference.metadata.text("task") : ""
            throw ReferenceError(
                description: "\(path.shown): metadata 'task' is '\(name)', which this program does not verify "
                    + "(\(subjects.compactMap { $0.taskName }.joined(separator: ", ")))")
        }
        return try type.init(reference)
    }
    return try verify(subject, communicator)
}

private func verify(_ subject: some ReferenceSubject, _ communicator: any Collective) throws -> VerificationReport {
    try Verification(subject, communicator: communicator).run()
}

/// Runs a reference's steps in this program and compares: the proof that a machine computes the published method.
///
/// With several ranks each takes a part of the images, so that a cluster's collectives are proved as well.
private final class Verification<Subject: ReferenceSubject> {
    private let subject: Subject
    private let communicator: any Collective
    private let batch: BatchPlan
    /// Those of this rank, of a step's.
    private let images: Range<Int>
    /// Compute threads of each rank.
    private let threads: [Int]
    private var reference: ReferenceFile { subject.reference }

    /// Collective.
    init(_ subject: Subject, communicator: any Collective) throws {
        self.subject = subject
        self.communicator = communicator
        let path = subject.reference.path, count = subject.images
        threads = try communicator.allGather([Int64(ComputeThreads.shared.threads)]).map { Int($0[0]) }
        guard count >= communicator.size else {
            throw ReferenceError(
                description:
                    "\(path.shown) has \(count) images for \(communicator.size) ranks; run it on at most \(count)")
        }
        batch = BatchPlan(global: count, ranks: communicator.size)
        images = batch.images(ofMicroBatch: 0, rank: communicator.rank)
    }

    private func makeComparison() -> ReferenceComparison {
        ReferenceComparison(
            reference, images: images, of: subject.images, threads: threads, communicator: communicator)
    }

    /// Runs the first step with the kernels that training uses, then all steps with exact sums. Collective; the report is
    /// the same on all ranks.
    func run() throws -> VerificationReport {
        let training = try checkTrainingKernels()
        // Where those are far off there is no method to be proved.
        let isNear = try communicator.minimum([training.failures == 0 ? 1.0 : 0])[0] > 0
        var report = try isNear ? Rounding.search(over: communicator, compareSteps) : compareSteps(.first)
        report.tensors = training.tensors + report.tensors
        return report
    }

    /// All steps with exact sums.
    private func compareSteps(_ rounding: Rounding) throws -> VerificationReport {
        let comparison = makeComparison(), task = try makeTask(.exact)
        rounding.move(task.states)
        try subject.compareFurther(task, comparison)
        // Of training's own kernels one step is compared, with passes in turn.
        let step = try TrainingStep(task, communicator: communicator, mode: .inline, interleavesPasses: true)
        try compareFeatures(task, "features", Convolutions(.exact), step, comparison)
        let isOneUpdate = task.phases.count == 1
        if !isOneUpdate {
            for loss in try firstUpdates(step) { comparison.compareLoss(loss, update: 0, isFirst: true) }
            try comparison.compareWhole("gradient", gradientEntries(task))
        }
        for update in 0..<subject.updates {
            let phase = task.phases[update % task.phases.count], totals = try gradients(of: update, phase, step)
            if update == 0, isOneUpdate { try comparison.compareWhole("gradient", gradientEntries(task)) }
            task.modules[phase.module].optimizer.update(learningRate: subject.learningRate(ofUpdate: update))
            for loss in try subject.losses(totals, update: update, phase) {
                comparison.compareLoss(loss, update: update, isFirst: update == 0)
            }
        }
        try comparison.compareWhole("weights", task.states.flatMap { StateDictionary($0).entries })
        return comparison.report
    }

    /// Features, loss and gradient of the first step as training computes them.
    ///
    /// Its kernels round as PyTorch's do, so that a few of a million rectifiers near zero fall on the other side and
    /// move the gradients of their channels by a thousandth: gradients are compared as a whole.
    private func checkTrainingKernels() throws -> VerificationReport {
        let comparison = makeComparison(), task = try makeTask(.fastest)
        let step = try TrainingStep(task, communicator: communicator, mode: .inline)
        try compareFeatures(task, ReferenceComparison.trainingKernels, Convolutions(), step, comparison)
        for loss in try firstUpdates(step) where loss.isWhole {
            comparison.report.tensors.append(
                .init(
                    kind: ReferenceComparison.trainingKernels, name: loss.part.isEmpty ? "loss" : "loss \(loss.part)",
                    error: abs(loss.value - loss.expected),
                    allowed: ReferenceComparison.tolerance(of: loss.expected, drift: 0)))
        }
        try comparison.compareGradientAsOne(gradientEntries(task))
        return comparison.report
    }

    /// The task with the reference's initial weights and statistics. Collective.
    private func makeTask(_ engines: EngineList) throws -> Subject.Task {
        let task = subject.makeTask(engines: engines)
        try communicator.agree(on: "loading the weights of \(reference.path.shown)") {
            for state in task.states {
                try ModelFile.load(state, prefix: "weights.", read: reference.file.readTensor)
            }
        }
        return task
    }

    /// Leaves the gradients of an update in its module's parameters; returns its figures over all ranks.
    private func gradients(
        of update: Int, _ phase: TrainingPhase, _ step: TrainingStep<Subject.Task>
    ) throws -> Figures.Totals {
        let inputs = try subject.batch(ofStep: update, images: images, over: communicator)
        if update % step.task.phases.count == 0 {
            step.moveAverages(
                ScheduleProgress(done: update / step.task.phases.count, of: subject.totalSteps))
        }
        return try step.computeGradients(phase, batch) { inputs }.figures.reduced(over: communicator)
    }

    /// Leaves the gradients of the first batch in the parameters of all modules, none of which moves.
    private func firstUpdates(_ step: TrainingStep<Subject.Task>) throws -> [ReferenceLoss] {
        try step.task.modules.indices.flatMap { module in
            let phase = step.task.phases.first { $0.module == module }!
            return try subject.firstLosses(try gradients(of: 0, phase, step), phase)
        }
    }

    /// Features of the first step, on this rank's images; running statistics are put back afterwards.
    private func compareFeatures(
        _ task: Subject.Task, _ title: String, _ convolutions: Convolutions, _ step: TrainingStep<Subject.Task>,
        _ comparison: ReferenceComparison
    ) throws {
        let statistics = task.states.flatMap(\.statistics)
        let before = statistics.map { ($0.mean.copy(), $0.variance.copy()) }
        let maps = try subject.features(
            task, try subject.batch(ofStep: 0, images: images, over: communicator),
            Pass(mode: .training, statistics: step.statistics, convolutions: convolutions))
        for (statistics, saved) in zip(statistics, before) {
            statistics.mean.copy(from: saved.0)
            statistics.variance.copy(from: saved.1)
        }
        if !maps.isEmpty { try comparison.compareMaps("features", as: title, maps) }
    }

    private func gradientEntries(_ task: Subject.Task) -> [StateDictionary.Entry] {
        task.modules.flatMap(\.parameters).map { StateDictionary.entry($0.name, of: $0.gradient!) }
    }
}
