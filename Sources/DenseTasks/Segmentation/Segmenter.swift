package import NeuralNetwork
package import TensorCore

/// A fully convolutional segmenter: a dilated backbone and a head that says for each of its cells what it shows.
///
/// Names are `encoder.*`, as in pretraining, and `decode_head.*`, as in mmsegmentation.
package final class Segmenter {
    package let settings: SegmenterSettings
    package let classes: Int
    package let state: ModelState
    package let encoder: ResNet
    private let head: FCNHead

    /// - Parameter seed: of the initial values; nil for a model that is filled by its maker.
    package init(_ settings: SegmenterSettings, classes: Int, seed: UInt64?) {
        (self.settings, self.classes) = (settings, classes)
        state = ModelState(seed: seed)
        let root = Scope(state)
        encoder = ResNet(settings.architecture, root.child("encoder"), outputStride: settings.outputStride.pixels)
        head = FCNHead(
            root.child("decode_head"), inputs: encoder.top.channels, channels: settings.headChannels, classes: classes,
            dilation: settings.headDilation)
        if settings.trunkStatistics == .frozen { encoder.keepStatistics(ofFirst: 4) }
    }

    /// Those that learn: where it is frozen, not those of the backbone's normalisation.
    package var trained: [Parameter] {
        guard settings.trunkStatistics == .frozen else { return state.parameters }
        let frozen = Set(encoder.parameters(ofFirst: 4).filter(\.isVector).map(\.name))
        return state.parameters.filter { !frozen.contains($0.name) }
    }

    /// Images [N, H, W, 3], normalised → C5 and float32 logits [N, ⌈H/stride⌉, ⌈W/stride⌉, classes].
    package func callAsFunction(_ images: Tensor, _ pass: Pass) throws -> (features: Variable, logits: Variable) {
        let features = try encoder(Variable(images), pass)
        return (features, try head(features, pass))
    }
}
