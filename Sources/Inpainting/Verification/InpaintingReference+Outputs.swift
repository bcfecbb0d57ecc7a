import Checkpointing
import ImagePipeline
package import Learning
import MessagePassing
import NeuralNetwork
import TensorCore

/// What networks, attention and critics make of the first batch.
extension InpaintingReference {
    package func compareFurther(_ task: InpaintingTask, _ comparison: ReferenceComparison) throws {
        let batch = try batch(ofStep: 0, images: comparison.images, over: comparison.communicator)
        let pass = Pass(mode: .training, convolutions: Convolutions(.exact))
        let output = task.generator(batch.images, masks: batch.masks, form, wantsMap: true, pass)
        let complete = pasteIntoHoles(output.fine, of: batch.images, masks: batch.masks, pass).value
        try compareOutputs(output, complete, batch, comparison)
        if let critics = task.critics { try compareCritics(critics, batch, complete, comparison) }
        try compareUnitCases(comparison)
    }

    private func compareOutputs(
        _ output: Generator.Output, _ complete: Tensor, _ batch: MaskedBatch, _ comparison: ReferenceComparison
    ) throws {
        var tensors = [
            "coarse": output.coarse.value, "fine": output.fine.value, "complete": complete,
        ].mapValues(\.channelsFirst)
        if let features = output.features?.value, let attended = output.attended?.value, let map = output.map {
            tensors["features"] = features.channelsFirst
            tensors["attended"] = attended.channelsFirst
            let attention = settings.dialect.attention
            let masks = PatchValidity.reduced(batch.masks.reshaped(Array(batch.masks.shape.prefix(3))), by: 4, form)
            let valid = PatchValidity.bias(PatchValidity.reduced(masks, by: 2, form))
            for (name, stage) in [
                ("scores", PatchAttention.Stage.scores), ("propagated", .propagated), ("attention", .attention),
            ] {
                tensors[name] = attention.matrix(stage, foreground: features, background: features, valid: valid)
            }
            tensors["offset"] = map.offsets
        }
        try comparison.compareRows("outputs", tensors)
    }

    /// Slopes within the penalty, their way back to the weights, and what critics send back to the generator.
    private func compareCritics(
        _ critics: Critics, _ batch: MaskedBatch, _ complete: Tensor, _ comparison: ReferenceComparison
    ) throws {
        critics.state.allocateGradients()
        let tape = Tape(), pass = Pass(mode: .training, tape: tape, convolutions: Convolutions(.exact))
        var terms = LossTerms(pass), slopes: [String: Tensor] = [:]
        for view in CriticView.all(critics, batch) {
            let t = try reference.rows("input.t_\(view.name)", step: 0, images: comparison.images).array
            let real = view.part(of: Variable(batch.images), pass).value
            let made = view.part(of: Variable(complete), pass).value
            let masks = view.part(of: Variable(batch.masks), pass).value
            let slope = view.critic.pictureGradient(interpolate(real, made, t), pass)
            let masked = slope.value.copy()
            masked.multiplyPixels(by: masks)
            slopes[view.name] = masked.channelsFirst
            terms.append(slopePenalty(slope, masks: masks, weight: 1 / Double(images), pass).variable)
        }
        try comparison.compareRows("hole_gradient", slopes)
        try tape.backward(from: terms.variable, seed: Tensor([1], [1]))
        // Those that nothing contributes to, biases, are zero.
        for parameter in critics.state.parameters {
            parameter.settleGradient()
            let gradient = parameter.gradient!
            let sum = try comparison.communicator.sum(gradient.floats.map(Double.init))
            for (place, value) in sum.enumerated() { gradient.floats[place] = Float(value) }
        }
        try comparison.compareWhole(
            "penalty_gradient", critics.state.parameters.map { StateDictionary.entry($0.name, of: $0.gradient!) })
        try compareBack(critics, batch, complete, comparison)
    }

    private func compareBack(
        _ critics: Critics, _ batch: MaskedBatch, _ complete: Tensor, _ comparison: ReferenceComparison
    ) throws {
        let tape = Tape(), pass = Pass(mode: .training, tape: tape, convolutions: Convolutions(.exact))
        let pictures = Variable(complete, needsGradient: true)
        var terms = LossTerms(pass)
        for view in CriticView.all(critics, batch) {
            let said = view.critic(view.part(of: pictures, pass), pass)
            terms.append(scoreSum(said, weight: -settings.loss.adversarialWeight / Double(images), pass).variable)
        }
        try tape.backward(from: terms.variable, seed: Tensor([1], [1]))
        try comparison.compareRows("complete_gradient", ["": pictures.takeGradient()!.channelsFirst])
    }
}

extension Tensor {
    /// [N, H, W, C] → [N, C, H, W].
    var channelsFirst: Tensor {
        permutedInner(outer: shape[0], rows: shape[1] * shape[2], columns: shape[3])
            .reshaped([shape[0], shape[3], shape[1], shape[2]])
    }

    /// [N, C, H, W] → [N, H, W, C].
    var channelsLast: Tensor {
        permutedInner(outer: shape[0], rows: shape[1], columns: shape[2] * shape[3])
            .reshaped([shape[0], shape[2], shape[3], shape[1]])
    }
}

extension ContextualAttention.Map {
    /// [N, 2, rows, columns]: rows down and columns right to where each position looks most.
    var offsets: Tensor {
        let result = Tensor([images, 2, rows, columns]), positions = rows * columns
        for image in 0..<images {
            for place in 0..<positions {
                let offset = offset(image: image, row: place / columns, column: place % columns)
                result.floats[2 * image * positions + place] = Float(offset.rows)
                result.floats[(2 * image + 1) * positions + place] = Float(offset.columns)
            }
        }
        return result
    }
}
