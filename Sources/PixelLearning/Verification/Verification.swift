import Checkpointing
import DataParallel
import Files
import ImagePipeline
package import Learning
package import MessagePassing
import NeuralNetwork
import Optimization
package import SystemPackage
import TensorCore

/// Runs a reference's steps in this program and compares: the proof that a machine computes the published method.
///
/// With several ranks each takes a part of the images, so that a cluster's collectives are proved as well.
package final class Verification {
    private let reference: ReferenceFile
    private let communicator: any Collective
    private var task: PretrainingTask
    private var model: PixelModel { task.model }
    private let batch: BatchPlan
    /// Those of this rank.
    private let images: Range<Int>
    private var report: VerificationReport

    /// How many times the reference's own drift an error may be.
    package static let driftFactor = 4.0
    /// No tensor is asked to be closer than this.
    package static let floor = 1e-5
    /// Nor is one that is zero but for rounding, as the gradient of a bias before a normalisation, asked to be closer
    /// than this: a ten-millionth of the largest norm of its kind.
    package static let roundingFloor = 0.1
    /// What a handful of rectifiers on the other side of zero may do to all gradients together.
    package static let wholeGradientFloor = 1e-2

    /// Collective.
    package init(path: FilePath, communicator: any Collective) throws {
        let reference = try communicator.agree(on: "reading the reference") { try ReferenceFile(path: path) }
        self.reference = reference
        self.communicator = communicator
        let threads = try communicator.allGather([Int64(ComputeThreads.shared.threads)]).map { Int($0[0]) }
        report = VerificationReport(threads: threads)
        guard reference.images >= communicator.size else {
            throw ReferenceError(
                description:
                    "\(path.shown) has \(reference.images) images for \(communicator.size) ranks; run it on at most "
                    + "\(reference.images)")
        }
        batch = BatchPlan(global: reference.images, ranks: communicator.size)
        images = batch.images(ofMicroBatch: 0, rank: communicator.rank)
        task = PretrainingTask(reference.settings)
        try loadWeights()
    }

    /// The reference's initial weights and statistics. Collective.
    private func loadWeights() throws {
        try communicator.agree(on: "loading the weights of \(reference.file.path.shown)") {
            for state in [model.online, model.momentum] {
                try ModelFile.load(state, prefix: "weights.", read: reference.file.readTensor)
            }
        }
    }

    /// Runs the first step with the kernels that training uses, then all steps with exact sums. Collective; the report is
    /// the same on all ranks.
    package func run() throws -> VerificationReport {
        try checkTrainingKernels()
        task = PretrainingTask(reference.settings, engines: .exact)
        try loadWeights()
        let step = try TrainingStep(task, communicator: communicator, mode: .inline)
        try compareFeatures("features", Convolutions(.exact), step.statistics)
        for index in 0..<reference.steps {
            let losses = try gradients(of: index, step)
            if index == 0 { try compareGradients() }
            task.modules[0].optimizer.update(learningRate: reference.learningRates[index])
            try compare(losses, step: index)
        }
        try compareWeights()
        return report
    }

    /// Adds a row for the loss of a step, and for each part of it.
    private func compare(_ losses: [String: Double], step: Int) throws {
        for term in [""] + reference.lossTerms {
            let suffix = term.isEmpty ? "" : "." + term
            let expected = Double(try reference.floats("expected.loss" + suffix)[step])
            let drift = Double(try reference.floats("drift.loss" + suffix)[step])
            report.losses.append(
                .init(
                    step: step, term: term, loss: losses[term]!, expected: expected,
                    // The first step starts from the reference's own weights: nothing excuses an error there.
                    allowed: Self.tolerance(of: expected, drift: step == 0 ? 0 : drift)))
        }
    }

    /// How far a loss may be from `expected`, whose float32 run was `drift` from it: relative where it is above 1.
    package static func tolerance(of expected: Double, drift: Double) -> Double {
        max(driftFactor * drift, floor) * max(1, abs(expected))
    }

    /// Leaves the gradients of a step in the parameters; returns its loss under "", and its parts by their names.
    private func gradients(of index: Int, _ step: TrainingStep<PretrainingTask>) throws -> [String: Double] {
        let views = try reference.batch(step: index, images: images)
        step.moveAverages(ScheduleProgress(done: index, of: reference.totalSteps))
        let outcome = try step.computeGradients(task.phases[0], batch) { views }
        let totals = try outcome.figures.reduced(over: communicator), whole = totals.sum("loss")
        var losses = ["": whole, "pixel": whole]
        for part in task.lossParts { losses[part] = totals.sum("loss \(part)") }
        return losses
    }

    /// Features, loss and gradient of the first step as training computes them.
    ///
    /// Its kernels round as PyTorch's do, so that a few of a million rectifiers near zero fall on the other side and
    /// move the gradients of their channels by a thousandth: gradients are compared as a whole.
    private func checkTrainingKernels() throws {
        let step = try TrainingStep(task, communicator: communicator, mode: .inline)
        try compareFeatures("training kernels", Convolutions(), step.statistics)
        let loss = try gradients(of: 0, step)[""]!
        let expectedLoss = Double(try reference.floats("expected.loss")[0])
        report.tensors.append(
            .init(
                kind: "training kernels", name: "loss", error: abs(loss - expectedLoss),
                allowed: Self.tolerance(of: expectedLoss, drift: 0)))
        let gradients = gradientEntries
        try reference.requireExpectations("gradient", gradients.map { ($0.name, $0.shape) })
        var squares = (error: 0.0, expected: 0.0)
        for entry in gradients {
            let expected = try reference.file.readTensor("expected.gradient.\(entry.name)")
            squares.error += entry.read().squaredDistance(to: expected)
            squares.expected += expected.sumOfSquares
        }
        let drift = reference.drifts["gradient"]!.values.max()!
        report.tensors.append(
            .init(
                kind: "training kernels", name: "gradient", error: (squares.error / squares.expected).squareRoot(),
                allowed: max(Self.driftFactor * drift, Self.wholeGradientFloor)))
    }

    /// Features of the first step, on this rank's images; running statistics are put back afterwards.
    private func compareFeatures(
        _ title: String, _ convolutions: Convolutions, _ statistics: SynchronizedStatistics
    ) throws {
        let before = model.online.statistics.map { ($0.mean.copy(), $0.variance.copy()) }
        let view = try reference.batch(step: 0, images: images).view1
        let prediction = try model.predict(
            view, Pass(mode: .training, statistics: statistics, convolutions: convolutions))
        for (statistics, saved) in zip(model.online.statistics, before) {
            statistics.mean.copy(from: saved.0)
            statistics.variance.copy(from: saved.1)
        }
        let maps = model.stages(prediction)
        let expected = maps.keys.sorted().map { name in
            // Maps are [N, C, H, W] there, vectors [N, C].
            let shape = maps[name]!.shape
            return (name: name, shape: [reference.images, shape.last!] + shape.dropFirst().dropLast())
        }
        try compare("features", as: title, expected) { name in
            let map = maps[name]!, channels = map.shape.last!
            let ours = map.permutedInner(
                outer: images.count, rows: map.count / (images.count * channels), columns: channels)
            return (ours, try reference.file.readTensor("expected.features.\(name)").rows(images))
        }
    }

    private var gradientEntries: [StateDictionary.Entry] {
        model.online.parameters.map { StateDictionary.entry($0.name, of: $0.gradient!) }
    }

    private func compareGradients() throws { try compareWhole("gradient", gradientEntries) }

    private func compareWeights() throws {
        try compareWhole("weights", StateDictionary(model.online).entries + StateDictionary(model.momentum).entries)
    }

    /// Compares tensors that every rank holds whole.
    private func compareWhole(_ kind: String, _ entries: [StateDictionary.Entry]) throws {
        let byName = Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0) })
        try compare(kind, entries.map { ($0.name, $0.shape) }) { name in
            (byName[name]!.read(), try reference.file.readTensor("expected.\(kind).\(name)"))
        }
    }

    /// Adds a row per tensor: |ours − expected| / (|expected| + 1e-6 M), M the kind's largest norm, against four times
    /// the larger of the tensor's drift and its kind's median, or the least that is asked for.
    private func compare(
        _ kind: String, as title: String? = nil, _ expected: [(name: String, shape: [Int])],
        _ pair: (String) throws -> (Tensor, Tensor)
    ) throws {
        try reference.requireExpectations(kind, expected)
        let drifts = reference.drifts[kind]!
        let median = drifts.values.median!
        var squares: [Double] = []
        for (name, _) in expected {
            let (ours, theirs) = try pair(name)
            squares += [ours.squaredDistance(to: theirs), theirs.sumOfSquares]
        }
        // Features are spread over ranks; what every rank holds whole counts once for each rank in both sums.
        squares = try communicator.sum(squares)
        let largest = stride(from: 1, to: squares.count, by: 2).map { squares[$0] }.max()!.squareRoot()
        let least = 1e-6 * largest
        for (index, (name, _)) in expected.enumerated() {
            let distance = squares[2 * index].squareRoot(), norm = squares[2 * index + 1].squareRoot()
            report.tensors.append(
                .init(
                    kind: title ?? kind, name: name, error: distance / (norm + least),
                    allowed: max(
                        Self.driftFactor * max(drifts[name]!, median), norm > least ? Self.floor : Self.roundingFloor)))
        }
    }
}

extension Tensor {
    /// Σ (self − other)², in double precision.
    fileprivate func squaredDistance(to other: Tensor) -> Double {
        precondition(count == other.count, "cannot compare \(shape) with \(other.shape)")
        return zip(floats, other.floats).reduce(0) {
            $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1))
        }
    }
}
