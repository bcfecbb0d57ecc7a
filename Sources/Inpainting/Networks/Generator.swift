package import NeuralNetwork
package import TensorCore

/// Fills holes in two stages (Yu et al. 2018, section 3): a coarse network proposes, a second one refines what was pasted
/// into the hole, borrowing from the rest of the picture by contextual attention where it has that branch.
package final class Generator {
    package let state: ModelState
    private let coarse, dilated, decoder: ConvolutionChain
    private let matching: (before: ConvolutionChain, attention: ContextualAttention, after: ConvolutionChain)?

    /// Pixels to a cell of the innermost maps, two of which make a position of attention: sides are multiples of it.
    package static let sideMultiple = 8

    package init(_ settings: InpainterSettings, seed: UInt64?) {
        state = ModelState(seed: seed)
        let root = Scope(state, path: "generator"), c = settings.channels, border = settings.dialect.border
        func chain(
            _ name: String, inputs: Int, first: Int = 1, _ plans: [ConvolutionPlan]
        ) -> ConvolutionChain {
            ConvolutionChain(root.child(name), inputs: inputs, plans, first: first, border: border)
        }
        let plan = GeneratorPlan(settings)
        coarse = chain("coarse", inputs: 5, plan.coarse)
        dilated = chain("dilated", inputs: 5, plan.dilated)
        matching =
            settings.hasAttention
            ? (
                chain("matching", inputs: 5, plan.matching), ContextualAttention(settings.dialect.attention),
                chain("attended", inputs: 4 * c, first: GeneratorPlan.firstAttended, plan.attended)
            ) : nil
        decoder = chain("decoder", inputs: settings.hasAttention ? 8 * c : 4 * c, plan.decoder)
    }

    /// What the generator makes of pictures with holes.
    package struct Output {
        /// [N, H, W, 3] of float32, within ±1: the first stage's proposal and the result. Both are of the whole picture.
        package let coarse, fine: Variable
        /// What attention sees and gives, [N, H/4, W/4, 4c]; nil without it.
        package let features, attended: Variable?
        /// Where attention looks, if it was asked for.
        package let map: ContextualAttention.Map?
    }

    /// images [N, H, W, 3] in −1…1, of which what lies in holes is not looked at; masks [N, H, W, 1], 1 = hole; sides are
    /// multiples of 8.
    package func callAsFunction(
        _ images: Tensor, masks: Tensor, _ form: HoleForm, wantsMap: Bool = false, _ pass: Pass
    ) -> Output {
        let shape = images.shape
        precondition(
            shape.count == 4 && shape[3] == 3 && masks.shape == shape.prefix(3) + [1]
                && shape[1] % Self.sideMultiple == 0 && shape[2] % Self.sideMultiple == 0,
            "pictures \(shape) with masks \(masks.shape); sides must be multiples of \(Self.sideMultiple)")
        let known = pasteIntoHoles(Variable(.zeros(shape)), of: images, masks: masks, pass)
        let coarse = self.coarse(input(known, masks, pass), pass)
        let proposal = clip(cast(coarse, to: .float32, pass), to: 1, pass)
        let second = input(pasteIntoHoles(proposal, of: images, masks: masks, pass), masks, pass)
        var branches = [dilated(second, pass)]
        var features: Variable?, attended: Variable?, map: ContextualAttention.Map?
        if let matching {
            let seen = matching.before(second, pass)
            let small = PatchValidity.reduced(masks.reshaped(Array(shape.prefix(3))), by: 4, form)
            let found = matching.attention(seen, seen, masks: small, form, wantsMap: wantsMap, pass)
            branches.append(matching.after(found.output, pass))
            (features, attended, map) = (seen, found.output, found.map)
        }
        let result = decoder(joinChannels(branches, pass), pass)
        return Output(
            coarse: proposal, fine: clip(cast(result, to: .float32, pass), to: 1, pass), features: features,
            attended: attended, map: map)
    }

    /// Colours, a channel of ones and the mask.
    private func input(_ pictures: Variable, _ masks: Tensor, _ pass: Pass) -> Variable {
        let ones = Tensor(masks.shape)
        ones.fill(1)
        return cast(joinChannels([pictures, Variable(ones), Variable(masks)], pass), to: pass.elementType, pass)
    }
}

extension Generator {
    /// One picture [1, H, W, 3] with its hole filled, both stages' outputs as they are, and for each place of attention
    /// (an eighth of the sides) where it looks most; nil without attention.
    package func fill(
        image: Tensor, mask: Tensor, _ pass: Pass
    ) -> (coarse: Tensor, fine: Tensor, offsets: [(rows: Int, columns: Int)]?) {
        let output = self(image, masks: mask, .free, wantsMap: true, pass)
        let offsets = output.map.map { map in
            (0..<map.rows * map.columns).map {
                map.offset(image: 0, row: $0 / map.columns, column: $0 % map.columns)
            }
        }
        return (output.coarse.value, output.fine.value, offsets)
    }
}
