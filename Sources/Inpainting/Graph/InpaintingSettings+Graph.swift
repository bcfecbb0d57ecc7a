package import Exporting
package import ImagePipeline
import TensorCore

extension InpaintingSettings: GraphDescribing {
    /// Of a generator with a further input `masks` [N, 1, H, W], hole from 0.5 on: `filled` [N, 3, H, W], the images with the
    /// result in their holes, and `coarse`, all of the first stage's proposal, both like the images that are given. Sides
    /// are multiples of 8; above 64 where the generator mirrors borders.
    package func describe(_ network: String, in graph: GraphBuilder, _ normalization: PixelNormalization?) throws {
        let images = graph.images(normalization)
        let given = graph.input("masks", .float32, ["batch", 1, "height", "width"])
        let holes = graph.atLeast(given, 0.5)
        let (coarse, fine) = try GeneratorGraph(graph, model).describe(images, holes)
        for (name, picture) in [("filled", graph.paste(fine, into: holes, of: images)), ("coarse", coarse)] {
            let shown = normalization == nil ? picture : graph.scale(picture, by: 0.5, plus: 0.5)
            graph.output(shown, as: name, .float32, ["batch", 3, "height", "width"])
        }
    }
}

/// The generator, layer by layer as `Generator` computes it.
private struct GeneratorGraph {
    private let graph: GraphBuilder
    private let settings: InpainterSettings
    private let plan: GeneratorPlan

    init(_ graph: GraphBuilder, _ settings: InpainterSettings) {
        (self.graph, self.settings, plan) = (graph, settings, GeneratorPlan(settings))
    }

    /// Images in −1…1 and holes as 0 and 1 → both stages' pictures.
    func describe(_ images: GraphValue, _ holes: GraphValue) throws -> (coarse: GraphValue, fine: GraphValue) {
        let known = graph.multiply(images, graph.complement(holes))
        let coarse = graph.clip(try chain("coarse", input(known, holes), plan.coarse), to: 1)
        let second = input(graph.paste(coarse, into: holes, of: images), holes)
        var maps = try chain("dilated", second, plan.dilated)
        if settings.hasAttention {
            let seen = try chain("matching", second, plan.matching)
            let found = graph.contextualAttention(
                seen, channels: 4 * settings.channels, holes: holes, settings.dialect.attention)
            let attended = try chain("attended", found, plan.attended, first: GeneratorPlan.firstAttended)
            maps = graph.joinChannels([maps, attended])
        }
        return (coarse, graph.clip(try chain("decoder", maps, plan.decoder), to: 1))
    }

    private func input(_ pictures: GraphValue, _ holes: GraphValue) -> GraphValue {
        graph.joinChannels([pictures, graph.add(holes, graph.complement(holes)), holes])
    }

    private func chain(
        _ name: String, _ x: GraphValue, _ plans: [ConvolutionPlan], first: Int = 1
    ) throws -> GraphValue {
        try plans.enumerated().reduce(x) { map, entry in
            try layer("generator.\(name).conv\(first + entry.offset)", map, entry.element)
        }
    }

    /// Sides being even where the stride is 2, the border is the same for all sizes.
    private func layer(_ name: String, _ x: GraphValue, _ plan: ConvolutionPlan) throws -> GraphValue {
        let map = plan.enlarges ? graph.twice(x) : x
        let border = (plan.kernel - 1) * plan.dilation + 1 - plan.stride
        let zeros = (before: border / 2, after: border - border / 2)
        let y: GraphValue
        switch settings.dialect.border {
        case .zeros:
            y = try graph.convolution(map, name, stride: plan.stride, zeros: zeros, dilation: plan.dilation)
        case .mirrored:
            let pads = [0, 0, zeros.before, zeros.before, 0, 0, zeros.after, zeros.after]
            let wide = graph.node("Pad", [map, graph.integers(pads)], [("mode", .text("reflect"))])
            y = try graph.convolution(wide, name, stride: plan.stride, dilation: plan.dilation)
        }
        switch plan.activation {
        case .identity: return y
        case .rectifier: return graph.rectify(y)
        case .exponentialLinear: return graph.node("Elu", [y], [("alpha", .float(1))])
        case .leakyRectifier(let slope): return graph.node("LeakyRelu", [y], [("alpha", .float(slope))])
        }
    }
}
