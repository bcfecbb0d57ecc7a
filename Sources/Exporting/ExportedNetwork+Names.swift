import Checkpointing

extension ExportedNetwork {
    /// The tensors under the names of another library; an error where it has no such network.
    func renamed(for format: ExportFormat) throws -> [NamedTensor] {
        try refuseOtherConvention(format)
        var nameless: [String] = []
        let renamed = tensors.compactMap { tensor -> NamedTensor? in
            guard let place = TensorPlace(tensor.name, isBackbone: isBackbone), let name = name(of: place, format)
            else {
                nameless.append(tensor.name)
                return nil
            }
            let shape = format == .openmmlab ? OpenMMLabNames.shape(of: place, tensor.shape) : tensor.shape
            return tensor.reshaped(shape).renamed(name)
        }
        guard nameless.isEmpty else {
            throw ExportError(
                "\(format.rawValue) has no network like the \(name), no names for \(nameless.count) of its tensors "
                    + "(\(nameless.prefix(3).joined(separator: ", "))): export its backbone, or take another format")
        }
        return renamed
    }

    private func name(of place: TensorPlace, _ format: ExportFormat) -> String? {
        switch format {
        case .torchvision: TorchvisionNames.name(of: place, isBackbone: isBackbone)
        case .openmmlab: OpenMMLabNames.name(of: place, isBackbone: isBackbone)
        case .detectron2: Detectron2Names.name(of: place, isBackbone: isBackbone)
        case .timm: if case .backbone(let name) = place, isBackbone { name } else { nil }
        case .pixpro, .onnx: preconditionFailure("\(format.rawValue) keeps this program's names")
        }
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
