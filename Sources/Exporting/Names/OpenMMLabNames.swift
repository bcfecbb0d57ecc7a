import Checkpointing

/// Names of mmdetection's FCOS (with `conv_bias=True` in its head) and of mmsegmentation's `FCNHead`.
enum OpenMMLabNames {
    /// - Parameters:
    ///   - isBackbone: whether the file is of a ResNet alone, which `init_cfg=dict(type='Pretrained')` of a backbone
    ///     reads without a name in front.
    ///   - finest: the pyramid's finest level, which comes first there.
    static func name(of place: TensorPlace, isBackbone: Bool, finest: Int) -> String? {
        switch place {
        case .backbone(let name): isBackbone ? name : "backbone.\(name)"
        case .lateral(let level, let layer, let parameter):
            "neck.lateral_convs.\(level - finest).\(layer.rawValue).\(parameter)"
        case .output(let level, let layer, let parameter):
            "neck.fpn_convs.\(level - finest).\(layer.rawValue).\(parameter)"
        case .top(let level, let parameter): "neck.fpn_convs.\(level - finest).conv.\(parameter)"
        case .tower(let tower, let index, let layer, let parameter):
            "bbox_head.\(tower == .classes ? "cls" : "reg")_convs.\(index).\(layer.rawValue).\(parameter)"
        case .prediction(.logits, let parameter): "bbox_head.conv_cls.\(parameter)"
        case .prediction(.distances, let parameter): "bbox_head.conv_reg.\(parameter)"
        case .prediction(.centerness, let parameter): "bbox_head.conv_centerness.\(parameter)"
        case .scale(let index): "bbox_head.scales.\(index).scale"
        case .segmentationHead(let name): "decode_head.\(name)"
        }
    }

    /// mmdetection's factors have no dimensions.
    static func shape(of place: TensorPlace, _ shape: [Int]) -> [Int] {
        if case .scale = place { [] } else { shape }
    }

    /// mmdetection's pyramids normalise P6 and P7 where they normalise the other levels. What only adds the bias that this
    /// program's have there: a normalisation of deviation one, whose variance mmdetection adds 1e-5 to.
    static func normalization(adding bias: NamedTensor, _ name: String) -> [NamedTensor] {
        let place = String(name.dropLast("conv.bias".count)) + "bn."
        return [
            NamedTensor(name: place + "weight", shape: bias.shape, repeating: 1), bias.renamed(place + "bias"),
            NamedTensor(name: place + "running_mean", shape: bias.shape, repeating: 0),
            NamedTensor(name: place + "running_var", shape: bias.shape, repeating: 1 - 1e-5),
            NamedTensor(name: place + "num_batches_tracked", scalar: 0),
        ]
    }
}
