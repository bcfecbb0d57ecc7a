/// torchvision's names: a ResNet's, or those of `fcos_resnet50_fpn` (torchvision/models/detection/fcos.py).
enum TorchvisionNames {
    /// Nil for what torchvision has not.
    ///
    /// - Parameters:
    ///   - isBackbone: whether the file is of a ResNet alone, whose names have nothing in front.
    ///   - finest: the pyramid's finest level, which comes first there.
    static func name(of place: TensorPlace, isBackbone: Bool, finest: Int) -> String? {
        switch place {
        case .backbone(let name): isBackbone ? name : "backbone.body.\(name)"
        case .lateral(let level, let layer, let parameter):
            "backbone.fpn.inner_blocks.\(level - finest).\(index(layer)).\(parameter)"
        case .output(let level, let layer, let parameter):
            "backbone.fpn.layer_blocks.\(level - finest).\(index(layer)).\(parameter)"
        case .top(let level, let parameter): "backbone.fpn.extra_blocks.p\(level).\(parameter)"
        // A convolution, its normalisation and a rectifier: three places a layer.
        case .tower(let tower, let layer, let kind, let parameter):
            "head.\(tower == .classes ? "classification" : "regression")_head.conv.\(3 * layer + index(kind)).\(parameter)"
        case .prediction(.logits, let parameter): "head.classification_head.cls_logits.\(parameter)"
        case .prediction(.distances, let parameter): "head.regression_head.bbox_reg.\(parameter)"
        case .prediction(.centerness, let parameter): "head.regression_head.bbox_ctrness.\(parameter)"
        case .scale, .segmentationHead: nil
        }
    }

    private static func index(_ layer: TensorPlace.Layer) -> Int { layer == .convolution ? 0 : 1 }
}
