/// detectron2's names of a ResNet, and AdelaiDet's of FCOS (adet/modeling/fcos/fcos.py), which stands on it.
enum Detectron2Names {
    /// Nil for what detectron2 has not.
    ///
    /// - Parameter isBackbone: whether the file is of a ResNet alone: detectron2 finds its tensors by how names end.
    static func name(of place: TensorPlace, isBackbone: Bool) -> String? {
        switch place {
        case .backbone(let name): (isBackbone ? "" : "backbone.bottom_up.") + residual(name)
        case .lateral(let level, let layer, let parameter): "backbone.fpn_lateral\(level)\(suffix(layer)).\(parameter)"
        case .output(let level, let layer, let parameter): "backbone.fpn_output\(level)\(suffix(layer)).\(parameter)"
        case .top(let level, let parameter): "backbone.top_block.p\(level).\(parameter)"
        // A convolution, its normalisation and a rectifier: three places a layer.
        case .tower(let tower, let index, let layer, let parameter):
            "\(head).\(tower == .classes ? "cls" : "bbox")_tower.\(3 * index + (layer == .convolution ? 0 : 1)).\(parameter)"
        case .prediction(.logits, let parameter): "\(head).cls_logits.\(parameter)"
        case .prediction(.distances, let parameter): "\(head).bbox_pred.\(parameter)"
        case .prediction(.centerness, let parameter): "\(head).ctrness.\(parameter)"
        case .scale(let index): "\(head).scales.\(index).scale"
        case .segmentationHead: nil
        }
    }

    private static let head = "proposal_generator.fcos_head"

    private static func suffix(_ layer: TensorPlace.Layer) -> String { layer == .convolution ? "" : ".norm" }

    /// torchvision's `layer1.0.bn2.bias` is `res2.0.conv2.norm.bias` there, and `downsample.1` is `shortcut.norm`.
    private static func residual(_ name: String) -> String {
        var parts = name.split(separator: ".").map(String.init)
        if parts[0].hasPrefix("layer"), let stage = parts[0].last?.wholeNumberValue {
            parts[0] = "res\(stage + 1)"
        } else {
            parts.insert("stem", at: 0)
        }
        if let place = parts.firstIndex(of: "downsample") {
            parts.replaceSubrange(
                place...place + 1, with: parts[place + 1] == "0" ? ["shortcut"] : ["shortcut", "norm"])
        } else if let place = parts.firstIndex(where: { $0.hasPrefix("bn") }) {
            parts.replaceSubrange(place...place, with: ["conv" + parts[place].dropFirst(2), "norm"])
        }
        return parts.joined(separator: ".")
    }
}
