import Checkpointing

extension ExportedNetwork {
    /// The tensors under the names of another library; an error where it has no such network.
    func renamed(for format: ExportFormat) throws -> [NamedTensor] {
        try refuseOtherConvention(format)
        try refuseOtherDilation(format)
        let finest = finestLevel, normalizesPyramid = normalizesPyramid
        var nameless: [String] = []
        let renamed = tensors.flatMap { tensor -> [NamedTensor] in
            guard let place = TensorPlace(tensor.name, isBackbone: isBackbone),
                let name = name(of: place, format, finest)
            else {
                nameless.append(tensor.name)
                return []
            }
            if format == .openmmlab, normalizesPyramid, case .top(_, "bias") = place {
                return OpenMMLabNames.normalization(adding: tensor, name)
            }
            let shape = format == .openmmlab ? OpenMMLabNames.shape(of: place, tensor.shape) : tensor.shape
            return [tensor.reshaped(shape).renamed(name)]
        }
        guard nameless.isEmpty else {
            throw ExportError(
                "\(format.rawValue) has no network like the \(name), no names for \(nameless.count) of its tensors "
                    + "(\(nameless.prefix(3).joined(separator: ", "))): export its backbone, or take another format")
        }
        return renamed
    }

    private var normalizesPyramid: Bool {
        tensors.contains { tensor in
            if case .lateral(_, .batchNormalization, _) = TensorPlace(tensor.name, isBackbone: isBackbone) {
                true
            } else {
                false
            }
        }
    }

    /// Of the pyramid; 3 without one.
    private var finestLevel: Int {
        let levels = tensors.compactMap { tensor in
            if case .lateral(let level, _, _) = TensorPlace(tensor.name, isBackbone: isBackbone) { level } else { nil }
        }
        return levels.min() ?? 3
    }

    private func name(of place: TensorPlace, _ format: ExportFormat, _ finest: Int) -> String? {
        switch format {
        case .torchvision: TorchvisionNames.name(of: place, isBackbone: isBackbone, finest: finest)
        case .openmmlab: OpenMMLabNames.name(of: place, isBackbone: isBackbone, finest: finest)
        case .detectron2: Detectron2Names.name(of: place, isBackbone: isBackbone)
        case .timm: if case .backbone(let name) = place, isBackbone { name } else { nil }
        case .pixpro, .onnx: preconditionFailure("\(format.rawValue) keeps this program's names")
        }
    }

    /// Of basic blocks timm and OpenMMLab dilate other convolutions than this program, and torchvision none (timm/models/resnet.py,
    /// mmseg/models/backbones/resnet.py, torchvision/models/resnet.py); detectron2 dilates all blocks of the last stage, and only
    /// those (detectron2/modeling/backbone/resnet.py). The same weights would compute something else there.
    private func refuseOtherDilation(_ format: ExportFormat) throws {
        guard let stride = architecture["outputStride"], stride != "32", let name = architecture["architecture"] else {
            return
        }
        let isOther =
            switch format {
            case .timm, .openmmlab, .torchvision: ["resnet18", "resnet34"].contains(name)
            case .detectron2: true
            case .pixpro, .onnx: false
            }
        guard isOther else { return }
        throw ExportError(
            "\(format.rawValue) has no \(name) of the output stride \(stride) that dilates the same convolutions, and would "
                + "compute something else by these weights: take the format pixpro or onnx, or train with model.outputStride 32"
        )
    }

    /// A detector's weights are of use only where points, distances and scores are those that it was trained with.
    private func refuseOtherConvention(_ format: ExportFormat) throws {
        guard !isBackbone, let convention = architecture["convention"] else { return }
        let isTheirs = (format == .torchvision) == (convention == "torchvision")
        guard [.torchvision, .openmmlab, .detectron2].contains(format), !isTheirs else { return }
        throw ExportError(
            "the detector was trained by the convention \(convention), and \(format.rawValue) would read its points and "
                + "distances by another: "
                + (format == .torchvision
                    ? "train with detection.convention torchvision, or take another format"
                    : "train with detection.convention fcos, or take the format torchvision"))
    }
}
