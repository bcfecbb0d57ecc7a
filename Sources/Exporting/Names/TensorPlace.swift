/// What a tensor of this program's networks is, by its name: what other libraries' names are made from.
enum TensorPlace: Equatable {
    /// Of the backbone, in torchvision's names: `layer1.0.conv1.weight`.
    case backbone(String)
    /// A pyramid's convolution on the level C3, C4, …, or the normalisation behind it.
    case lateral(level: Int, Layer, String)
    /// The convolution that makes the level P3, P4, … of it.
    case output(level: Int, Layer, String)
    /// The convolution that makes P6 or P7.
    case top(level: Int, String)
    case tower(Tower, index: Int, Layer, String)
    case prediction(Prediction, String)
    /// The factor of a level's distances, counted from the finest.
    case scale(index: Int)
    /// Of a segmenter's head, in mmsegmentation's names: `convs.0.conv.weight`.
    case segmentationHead(String)

    enum Layer: String {
        case convolution = "conv"
        case batchNormalization = "bn"
        case groupNormalization = "gn"
    }

    enum Tower: String {
        case classes = "tower_cls"
        case boxes = "tower_bbox"
    }

    enum Prediction: String {
        case logits = "cls_logits"
        case distances = "bbox_pred"
        case centerness = "ctrness"
    }

    /// Nil for a name that no network of this program has.
    ///
    /// - Parameter isBackbone: whether all names are a backbone's, without `encoder.` in front.
    init?(_ name: String, isBackbone: Bool) {
        if isBackbone {
            self = .backbone(name)
            return
        }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        switch parts[0] {
        case "encoder" where parts.count > 1: self = .backbone(parts.dropFirst().joined(separator: "."))
        case "decode_head" where parts.count > 1:
            self = .segmentationHead(parts.dropFirst().joined(separator: "."))
        case "scales" where parts.count == 3:
            guard let index = Int(parts[1]) else { return nil }
            self = .scale(index: index)
        case "pyramid" where parts.count > 2: self.init(pyramid: Array(parts.dropFirst()))
        default:
            if let tower = Tower(rawValue: parts[0]), parts.count == 4, let index = Int(parts[1]),
                let layer = Layer(rawValue: parts[2])
            {
                self = .tower(tower, index: index, layer, parts[3])
            } else if let prediction = Prediction(rawValue: parts[0]), parts.count == 2 {
                self = .prediction(prediction, parts[1])
            } else {
                return nil
            }
        }
    }

    /// `lateral3.conv.weight`, `output3.bn.bias`, `p6.weight`.
    private init?(pyramid parts: [String]) {
        guard let level = parts[0].last?.wholeNumberValue else { return nil }
        switch (parts[0].dropLast(), parts.count) {
        case ("lateral", 3):
            guard let layer = Layer(rawValue: parts[1]) else { return nil }
            self = .lateral(level: level, layer, parts[2])
        case ("output", 3):
            guard let layer = Layer(rawValue: parts[1]) else { return nil }
            self = .output(level: level, layer, parts[2])
        case ("p", 2): self = .top(level: level, parts[1])
        default: return nil
        }
    }
}
