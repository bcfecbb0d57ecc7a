package import ImagePipeline
package import Learning
package import MessagePassing
import NeuralNetwork
package import Optimization
package import TensorCore

/// Inpainting as a task: critics learn to tell completed pictures from real ones, the generator to complete them.
///
/// A step is `criticSteps` updates of the critics and one of the generator, each on pictures of its own; without critics
/// it is the generator's alone.
package final class InpaintingTask: TrainingTask {
    package let settings: InpaintingSettings
    package let generator: Generator
    /// Nil where nothing judges beside L1.
    package let critics: Critics?
    /// Its updates number what the penalty draws.
    private let criticsOptimizer: Adam?
    package let modules: [TrainedModule]
    package let phases: [TrainingPhase]
    private let seed: UInt64
    private let discountBase: Double
    private let places: PenaltyPlaces
    private var watches = InpaintingWatches()
    private let convolutions: Convolutions
    /// Empty between passes; kept for its memory.
    private let tape = Tape()

    /// - Parameters:
    ///   - discountBase: another one than the dialect's, of a reference.
    ///   - places: where the penalty looks between real and completed pictures; by default drawn, keyed by the seed, the
    ///     update and the picture's place in it.
    package init(
        _ settings: InpaintingSettings, seed: UInt64, isRestored: Bool = false, engines: EngineList = .fastest,
        discountBase: Double? = nil, places: PenaltyPlaces? = nil
    ) {
        (self.settings, self.seed) = (settings, seed)
        let model = settings.model, seedOfValues = isRestored ? nil : seed
        self.discountBase = discountBase ?? model.dialect.discountBase
        self.places = places ?? .drawn(seed: seed)
        generator = Generator(model, seed: seedOfValues)
        critics =
            model.loss.hasCritics
            ? Critics(channels: model.channels, side: settings.data.imageSize, seed: seedOfValues) : nil
        func optimizer(of state: ModelState) -> Adam { Adam(state.parameters, beta1: 0.5, beta2: 0.9) }
        var modules = [
            TrainedModule(name: "generator", state: generator.state, optimizer: optimizer(of: generator.state))
        ]
        criticsOptimizer = critics.map { optimizer(of: $0.state) }
        if let critics, let criticsOptimizer {
            modules.append(TrainedModule(name: "critics", state: critics.state, optimizer: criticsOptimizer))
        }
        self.modules = modules
        phases =
            Array(
                repeating: TrainingPhase(name: "critics", module: 1),
                count: critics == nil ? 0 : model.loss.criticSteps) + [TrainingPhase(name: "generator", module: 0)]
        convolutions = Convolutions(engines)
    }

    private var model: InpainterSettings { settings.model }

    package func samples(of pictures: InpaintingPictures) -> MaskedTransform {
        let data = settings.data
        return MaskedTransform(
            side: data.imageSize, view: data.view, flip: data.flip, holes: pictures.holes, seed: seed)
    }

    package func learningRates(_ length: RunLength) -> [LearningRateSchedule] {
        modules.map { _ in LearningRateSchedule(rate: model.learningRate, course: .constant) }
    }

    // MARK: Networks and losses

    package func learn(_ batch: MaskedBatch, _ part: BatchPart, _ figures: inout Figures) throws -> Double {
        if part.isFirst { convolutions.forgetWeights() }
        let pass = Pass(
            mode: .training, tape: tape, statistics: part.statistics, elementType: model.elementType,
            convolutions: convolutions)
        let terms =
            part.phase.module == 0
            ? try generatorTerms(batch, part, pass, &figures) : criticTerms(batch, part, pass, &figures)
        for (name, value) in terms.values { figures.add("\(part.phase.name) \(name)", sum: value) }
        try Trace.span("backward", counts: .backward) {
            try tape.backward(from: terms.variable, seed: Tensor([1], [1]), onGradientReady: part.onGradientReady)
        }
        return terms.loss
    }

    /// L1 in holes and outside them, of both stages, and what the critics say of completed pictures.
    private func generatorTerms(
        _ batch: MaskedBatch, _ part: BatchPart, _ pass: Pass, _ figures: inout Figures
    ) throws -> LossTerms {
        let share = Double(part.microBatchImages) / Double(part.globalImages), loss = model.loss
        let hole = batch.masks.floats.reduce(0.0) { $0 + Double($1) }
        let counts = try part.communicator.sum([hole, Double(batch.masks.count) - hole])
        let weights = ReconstructionWeights(
            batch, model.dialect.discount(of: settings.data.form), base: discountBase,
            counts: .init(images: part.microBatchImages, hole: counts[0], known: counts[1]), share: share)
        let output = Trace.span("forward", counts: .forward) {
            generator(batch.images, masks: batch.masks, settings.data.form, pass)
        }
        var terms = LossTerms(pass)
        for (stage, result, factor) in [("coarse", output.coarse, loss.coarseWeight), ("fine", output.fine, 1)] {
            let error = ReconstructionLoss(
                result, images: batch.images, weights, holeFactor: loss.holeWeight * factor,
                knownFactor: loss.knownWeight * factor, pass)
            terms.add("hole \(stage)", error.hole, times: loss.holeWeight * factor)
            terms.add("known \(stage)", error.known, times: loss.knownWeight * factor)
            terms.append(error.variable)
        }
        if let critics {
            let complete = pasteIntoHoles(output.fine, of: batch.images, masks: batch.masks, pass)
            for view in CriticView.all(critics, batch) {
                let said = scoreSum(
                    view.critic(view.part(of: complete, pass), pass), weight: -1 / Double(part.globalImages), pass)
                terms.add("adversarial \(view.name)", said.loss, times: loss.adversarialWeight)
                terms.append(said.variable, times: loss.adversarialWeight)
            }
        }
        watches.addFigures(of: output, batch, &figures)
        return terms
    }

    /// What critics say of completed pictures and of real ones, and how far their slopes between them are from 1.
    private func criticTerms(
        _ batch: MaskedBatch, _ part: BatchPart, _ pass: Pass, _ figures: inout Figures
    ) -> LossTerms {
        let weight = 1 / Double(part.globalImages), update = criticsOptimizer!.updates
        let complete = Trace.span("generator", counts: .forward) {
            let there = Pass(
                mode: .training, statistics: part.statistics, elementType: model.elementType,
                convolutions: convolutions)
            let fine = generator(batch.images, masks: batch.masks, settings.data.form, there).fine
            return pasteIntoHoles(fine, of: batch.images, masks: batch.masks, there)
        }
        var terms = LossTerms(pass)
        for view in CriticView.all(critics!, batch) {
            let real = view.part(of: Variable(batch.images), pass), made = view.part(of: complete, pass)
            let ofMade = scoreSum(view.critic(made, pass), weight: weight, pass)
            let ofReal = scoreSum(view.critic(real, pass), weight: -weight, pass)
            terms.add("adversarial \(view.name)", ofMade.loss + ofReal.loss, times: 1)
            terms.append(ofMade.variable)
            terms.append(ofReal.variable)
            let t = part.places.map { places.place(update, view.index, $0) }
            let slope = view.critic.pictureGradient(interpolate(real.value, made.value, t), pass)
            let penalty = slopePenalty(
                slope, masks: view.part(of: Variable(batch.masks), pass).value, weight: weight, pass)
            terms.add("penalty \(view.name)", penalty.loss, times: model.loss.penaltyWeight)
            terms.append(penalty.variable, times: model.loss.penaltyWeight)
            figures.add(
                "slope \(view.name)", total: penalty.norms.reduce(0, +), of: Double(penalty.norms.count))
        }
        return terms
    }

    package func makeEvaluator(
        pictures: InpaintingPictures, communicator: any Collective
    ) throws -> any TaskEvaluator {
        try InpaintingEvaluator(generator, settings, trained: pictures.index.count, communicator: communicator)
    }

    // MARK: Description

    package func observe(_ totals: Figures.Totals, step: Int) -> StepObservation {
        watches.observe(totals, step: step, model.loss)
    }

    package var architectureFacts: [String: String] {
        [
            "dialect": model.dialect.rawValue, "channels": "\(model.channels)",
            "attention": "\(model.hasAttention)", "adversarial": model.loss.adversary.rawValue,
        ]
    }

    package var summary: String {
        "inpainting (\(model.dialect.rawValue)), \(model.channels) channels, "
            + (model.hasAttention ? "contextual attention" : "no attention")
            + (critics == nil
                ? ", L1 alone" : ", \(model.loss.criticSteps) updates of the critics to one of the generator")
    }
}

/// Where the penalty looks between real pictures and completed ones, from 0 to 1.
package struct PenaltyPlaces: Sendable {
    /// Of a critic (0 sees whole pictures, 1 windows), in an update of the critics, for a picture by its place in the update.
    package let place: @Sendable (_ update: Int, _ critic: Int, _ picture: Int) -> Float

    package init(_ place: @escaping @Sendable (_ update: Int, _ critic: Int, _ picture: Int) -> Float) {
        self.place = place
    }

    /// Uniform, keyed so that any number of ranks draws the same.
    package static func drawn(seed: UInt64) -> PenaltyPlaces {
        PenaltyPlaces { update, critic, picture in
            var generator = KeyedGenerator(seed, key, UInt64(update), UInt64(critic), UInt64(picture))
            return Float(generator.uniform())
        }
    }

    /// Sets these draws apart from every other use of the run's seed.
    private static let key: UInt64 = 0x736C_6F70
}
