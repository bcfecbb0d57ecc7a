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
}
