import Checkpointing
import Files
import Foundation
import ImagePipeline
import Learning
import MessagePassing
import NeuralNetwork
import TensorCore

/// Cases of single operations, as far as one of the dialects has them; every rank computes them whole.
extension InpaintingReference {
    /// The worst of all ranks is what counts. Collective.
    func compareUnitCases(_ comparison: ReferenceComparison) throws {
        var rows: [VerificationReport.TensorError] = []
        let prefix = "unit."
        let names = Set(
            reference.file.tensors.map(\.name).filter { $0.hasPrefix(prefix) }.compactMap {
                $0.split(separator: ".").dropFirst().first.map(String.init)
            })
        for name in names.sorted() {
            let unit = UnitCase(reference: reference, name: name)
            guard let results = try unit.results() else {
                comparison.report.notOffered.append(name)
                continue
            }
            for (key, value) in results.sorted(by: { $0.key < $1.key }) {
                rows.append(try unit.compare(key, value))
            }
        }
        // No maximum is taken of what is no number.
        let worst = try comparison.communicator.maximum(rows.map { $0.error.isNaN ? .infinity : $0.error })
        comparison.report.tensors += zip(rows, worst).map {
            .init(kind: $0.kind, name: $0.name, error: $1, allowed: $0.allowed)
        }
    }
}

private struct UnitCase {
    let reference: ReferenceFile
    let name: String

    private func input(_ key: String) throws -> Tensor { try reference.file.readTensor("unit.\(name).\(key)") }

    private func options<Options: Decodable>(_: Options.Type) throws -> Options {
        try reference.metadata.parsed("unit.\(name)") { try? JSONDecoder().decode(Options.self, from: Data($0.utf8)) }
    }

    /// Distance over norm, as of other tensors; offsets are counted.
    func compare(_ key: String, _ value: Tensor) throws -> VerificationReport.TensorError {
        let expected = try reference.file.readTensor("unit.\(name).expected.\(key)")
        guard expected.count == value.count else {
            throw ReferenceError(
                description:
                    "\(reference.path.shown): 'unit.\(name).expected.\(key)' is \(expected.shape), not \(value.shape)")
        }
        let drift = try reference.drift("unit.\(name).\(key)")
        let error: Double
        if key == "offset" {
            error = Double(zip(value.floats, expected.floats).count { $0 != $1 })
        } else {
            let square = zip(value.floats, expected.floats).reduce(0.0) {
                $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1))
            }
            error = square.squareRoot() / max(expected.norm, 1e-6)
        }
        return .init(
            kind: "unit", name: "\(name).\(key)", error: error,
            allowed: max(ReferenceComparison.driftFactor * drift, ReferenceComparison.floor))
    }

    /// What this program makes of the case; nil where it cannot express it.
    func results() throws -> [String: Tensor]? {
        if name.hasPrefix("attention_") { return try attention() }
        if name.hasPrefix("conv_") { return try convolution() }
        switch name {
        case "discount": return try discount()
        case "reconstruction_box": return try reconstruction(.fromWindow)
        case "reconstruction_mask": return try reconstruction(.fromKnown)
        case "gan": return try scores()
        case "metrics": return try fillScores()
        default: return nil
        }
    }

    private func attention() throws -> [String: Tensor]? {
        let options = try options(AttentionOptions.self)
        guard let layer = options.layer else { return nil }
        let f = Variable(try input("f").channelsLast, needsGradient: true)
        let b = Variable(try input("b").channelsLast, needsGradient: true), mask = try input("mask")
        let masks = mask.reshaped([mask.shape[0], mask.shape[2], mask.shape[3]])
        let tape = Tape(), pass = Pass(mode: .training, tape: tape)
        let (output, map) = ContextualAttention(layer)(f, b, masks: masks, options.form, wantsMap: true, pass)
        try tape.backward(from: output, seed: try input("cotangent").channelsLast)
        let valid = PatchValidity.bias(PatchValidity.reduced(masks, by: 2, options.form))
        var results = [
            "output": output.value.channelsFirst, "offset": map!.offsets,
            "gradient_f": f.takeGradient()!.channelsFirst, "gradient_b": b.takeGradient()!.channelsFirst,
        ]
        for (name, stage) in [
            ("scores", PatchAttention.Stage.scores), ("propagated", .propagated), ("attention", .attention),
        ] {
            results[name] = layer.matrix(stage, foreground: f.value, background: b.value, valid: valid)
        }
        return results
    }

    private struct ConvolutionOptions: Decodable {
        var stride: Int?
        var dilation: Int?
        var up: Bool?
        var alignment: String?
        var border: String?
    }

    private func convolution() throws -> [String: Tensor]? {
        let options = try options(ConvolutionOptions.self)
        guard options.alignment ?? "same" == "same" else { return nil }
        let kernel = try input("weight"), state = ModelState(seed: 0)
        var plan = ConvolutionPlan(kernel.shape[0]).activated(.identity)
        plan.kernel = kernel.shape[2]
        plan.stride = options.stride ?? 1
        plan.dilation = options.dilation ?? 1
        plan.enlarges = options.up ?? false
        let layer = BorderedConvolution(
            Scope(state), inputs: kernel.shape[1], plan, border: options.border == "reflect" ? .mirrored : .zeros)
        state.allocateGradients()
        for entry in StateDictionary(state).entries { entry.write(try input(entry.name)) }
        let x = Variable(try input("x").channelsLast, needsGradient: true)
        let tape = Tape(), pass = Pass(mode: .training, tape: tape, convolutions: Convolutions(.exact))
        let y = layer(x, pass)
        try tape.backward(from: y, seed: try input("cotangent").channelsLast)
        var results = ["y": y.value.channelsFirst, "gradient_x": x.takeGradient()!.channelsFirst]
        for parameter in state.parameters {
            results["gradient_\(parameter.name)"] =
                StateDictionary.entry(parameter.name, of: parameter.gradient!).read()
        }
        return results
    }

    /// Of Wasserstein critics alone.
    private func scores() throws -> [String: Tensor] {
        let real = try input("real"), fake = try input("fake"), share = 1 / Double(real.count)
        func mean(_ scores: Tensor, _ sign: Double) -> Double {
            scoreSum(Variable(scores.reshaped([scores.count, 1])), weight: sign * share, Pass(mode: .evaluation)).loss
        }
        return [
            "critic_wgan-gp": mean(fake, 1) + mean(real, -1), "generator_wgan-gp": mean(fake, -1),
        ].mapValues { Tensor([1], [Float($0)]) }
    }

    /// Means over pictures of those scores that this program has too.
    private func fillScores() throws -> [String: Tensor] {
        let image = try input("image").channelsLast, complete = try input("complete").channelsLast
        let masks = try input("mask"), (count, height, width) = (image.shape[0], image.shape[1], image.shape[2])
        var sums: [String: Double] = [:]
        for picture in 0..<count {
            func only(_ maps: Tensor) -> Tensor { maps.rows(picture..<picture + 1).reshaped([height, width, 3]) }
            let truth = only(image), filled = only(complete), hole = masks.rows(picture..<picture + 1).array
            let similarity = StructuralSimilarity(truth, filled)
            for (region, holes) in [("hole", hole.map { $0 != 0 }), ("image", hole.map { _ in true })] {
                let scores = FillScores(
                    truth: truth, filled: filled, similarity: similarity,
                    over: HoleMask(height: height, width: width, holes: holes))
                for (name, value) in [
                    ("l1", 100 * scores.l1), ("l2", 100 * scores.l2), ("psnr", scores.signalToNoise),
                    ("tv", 100 * scores.totalVariation),
                ] { sums["\(region)_\(name)", default: 0] += value / Double(count) }
            }
        }
        return sums.mapValues { Tensor([1], [Float($0)]) }
    }

    private struct Discounting: Decodable {
        let gamma: Double
    }

    private func discount() throws -> [String: Tensor] {
        let masks = try input("masks"), (height, width) = (masks.shape[2], masks.shape[3]), pixels = height * width
        let base = try options(Discounting.self).gamma
        func each(_ body: (HoleMask) -> [Double]) -> Tensor {
            let values = (0..<masks.shape[0]).flatMap { image in
                body(
                    HoleMask(
                        height: height, width: width,
                        holes: masks.floats[image * pixels..<(image + 1) * pixels].map { $0 != 0 }))
            }
            return Tensor([values.count], values.map { Float($0) })
        }
        let box = HoleDiscount.overWindow(height: height / 2, width: width / 2, base: base)
        return [
            "distance": each { NearestKnown($0).distances.map { min($0, 1000) } },
            "mask": each { HoleDiscount.overHole($0, base: base) },
            "box": Tensor([box.count], box.map { Float($0) }),
        ]
    }

    private func reconstruction(_ discount: Discount) throws -> [String: Tensor] {
        let image = try input("image").channelsLast, boxes = try input("boxes").array, mask = try input("masks")
        let (count, height, width) = (image.shape[0], image.shape[1], image.shape[2])
        let masks = mask.reshaped([count, height, width, 1]), hole = masks.floats.reduce(0.0) { $0 + Double($1) }
        let batch = MaskedBatch(
            images: image, masks: masks,
            windows: (0..<count).map {
                PixelWindow(
                    top: Int(boxes[2 * $0]), left: Int(boxes[2 * $0 + 1]), height: height / 2, width: width / 2)
            })
        let weights = ReconstructionWeights(
            batch, discount, base: try options(Discounting.self).gamma,
            counts: .init(images: count, hole: hole, known: Double(masks.count) - hole), share: 1)
        func loss(_ name: String) throws -> ReconstructionLoss {
            ReconstructionLoss(
                Variable(try input(name).channelsLast), images: image, weights, holeFactor: 1, knownFactor: 1,
                Pass(mode: .evaluation))
        }
        let coarse = try loss("coarse"), fine = try loss("fine"), weight = InpaintingLossSettings().coarseWeight
        return [
            "l1_coarse": coarse.hole, "l1_fine": fine.hole, "ae_coarse": coarse.known, "ae_fine": fine.known,
            "l1": weight * coarse.hole + fine.hole, "ae": weight * coarse.known + fine.known,
        ].mapValues { Tensor([1], [Float($0)]) }
    }
}
