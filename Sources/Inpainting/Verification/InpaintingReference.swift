import Checkpointing
import Files
package import ImagePipeline
package import Learning
import NeuralNetwork
package import TensorCore

/// What references hold of inpainting.
///
/// `input.images` [U, N, 3, S, S], `input.masks` [U, N, 1, S, S], `input.boxes` [U, N, 2] (top and left of windows of half
/// the sides) and `input.t_global|t_local` [U, N], where the penalties look, of U updates in their order: of each
/// alternation those of the critics, then the generator's. Of the first batch with the initial weights, beside
/// `expected.gradient.<name>` of either module from its own loss: `expected.outputs.<name>`, `expected.generator|critic.<term>`,
/// `expected.hole_gradient.<critic>`, `expected.penalty_gradient.<name>` and `expected.complete_gradient`. Of the run
/// `expected.curve.generator|critic.<term>` and `expected.weights.<name>`. Cases of single operations are
/// `unit.<case>.<input>`, `unit.<case>.expected.<name>`, their options metadata.
///
/// Metadata: `cnum`, `height`, `width`, `batch`, `alternations`, `critic_steps`, `attention` (JSON), `border`, `alignment`,
/// `discount`, `gamma`, `baseline`, `gan`, the weights of the losses, and `lr`.
package struct InpaintingReference: ReferenceSubject {
    package static let taskName: String? = "inpainting"

    package static func recognizes(_ metadata: ReferenceMetadata) -> Bool {
        !metadata.has("task") && metadata.has("alternations") && metadata.has("critic_steps")
    }

    package let reference: ReferenceFile
    package let images: Int
    package let updates: Int
    package let lossParts: [String] = []
    let settings: InpainterSettings
    let form: HoleForm
    let side: Int
    private let discountBase: Double
    /// Where each critic's penalty looks, for each picture of each update.
    private let penaltyPlaces: [[Float]]
    /// Of the critics in an alternation.
    private var criticSteps: Int { settings.loss.criticSteps }

    package init(_ reference: ReferenceFile) throws {
        self.reference = reference
        let metadata = reference.metadata
        (settings, form) = try metadata.inpainterSettings()
        discountBase = try metadata.parsed("gamma", Double.init)
        side = try metadata.number("height", in: 16...2048)
        images = try metadata.number("batch", in: 1...65_536)
        updates = try metadata.number("alternations", in: 1...1000) * (settings.loss.criticSteps + 1)
        try reference.require("input.images", shape: [updates, images, 3, side, side])
        try reference.require("input.masks", shape: [updates, images, 1, side, side])
        try reference.require("input.boxes", shape: [updates, images, 2])
        let shape = [updates, images]
        penaltyPlaces = try ["global", "local"].map { critic in
            try reference.require("input.t_\(critic)", shape: shape)
            return try reference.floats("input.t_\(critic)")
        }
        // A model of that width is made next.
        let c = settings.channels
        try reference.require("weights.generator.coarse.conv17.weight", shape: [3, c / 2, 3, 3])
        try reference.require("weights.critics.local.features.conv4.bias", shape: [16 * c])
    }

    package func makeTask(engines: EngineList) -> InpaintingTask {
        let (t, images, criticSteps) = (penaltyPlaces, images, criticSteps)
        var whole = InpaintingSettings()
        (whole.model, whole.data.imageSize) = (settings, side)
        whole.data.holes = form == .rectangle ? .rectangles : .strokes
        return InpaintingTask(
            whole, seed: 0, engines: engines, discountBase: discountBase,
            places: PenaltyPlaces { update, critic, picture in
                let batch = update / criticSteps * (criticSteps + 1) + update % criticSteps
                return t[critic][batch * images + picture]
            })
    }

    package func batch(step: Int, images: Range<Int>) throws -> MaskedBatch {
        let corners = try reference.rows("input.boxes", step: step, images: images).array
        let windows = try (0..<images.count).map { image in
            guard let top = Int(exactly: corners[2 * image]), let left = Int(exactly: corners[2 * image + 1]),
                (0...side - side / 2).contains(top), (0...side - side / 2).contains(left)
            else {
                throw ReferenceError(
                    description: "\(reference.path.shown): 'input.boxes' has a window that is not in its picture")
            }
            return PixelWindow(top: top, left: left, height: side / 2, width: side / 2)
        }
        let masks = try reference.rows("input.masks", step: step, images: images)
        return MaskedBatch(
            images: try reference.pictures("input.images", step: step, images: images),
            masks: masks.reshaped([images.count, side, side, 1]), windows: windows)
    }

    // MARK: Losses

    package func learningRate(ofUpdate update: Int) -> Double { reference.learningRates[0] }

    package func loss(_ part: String, of totals: Figures.Totals) -> Double { totals.sum(part) }

    package func losses(_ totals: Figures.Totals, update: Int, _ phase: TrainingPhase) throws -> [ReferenceLoss] {
        let (alternation, place) = update.quotientAndRemainder(dividingBy: criticSteps + 1)
        let isCritics = phase.module == 1, row = isCritics ? alternation * criticSteps + place : alternation
        return try losses(totals, phase, "curve.", row)
    }

    package func firstLosses(_ totals: Figures.Totals, _ phase: TrainingPhase) throws -> [ReferenceLoss] {
        try losses(totals, phase, "", 0)
    }

    private func losses(
        _ totals: Figures.Totals, _ phase: TrainingPhase, _ prefix: String, _ row: Int
    ) throws -> [ReferenceLoss] {
        let isCritics = phase.module == 1, module = isCritics ? "critic" : "generator"
        let terms =
            isCritics
            ? [
                ("gan_global", "adversarial global"), ("gan_local", "adversarial local"),
                ("penalty_global", "penalty global"), ("penalty_local", "penalty local"),
            ]
            : [
                ("l1_coarse", "hole coarse"), ("l1_fine", "hole fine"), ("ae_coarse", "known coarse"),
                ("ae_fine", "known fine"), ("gan_global", "adversarial global"), ("gan_local", "adversarial local"),
            ]
        return try ([("total", "")] + terms).map { name, figure in
            let key = "\(prefix)\(module).\(name)", expected = try reference.floats("expected.\(key)")
            guard row < expected.count else {
                throw ReferenceError(
                    description:
                        "\(reference.path.shown): 'expected.\(key)' has \(expected.count) values, not \(row + 1)")
            }
            return ReferenceLoss(
                part: "\(module) \(name)", isWhole: figure.isEmpty,
                value: totals.sum(figure.isEmpty ? phase.lossName : "\(phase.name) \(figure)"),
                expected: Double(expected[row]), drift: try reference.drift(key))
        }
    }
}
