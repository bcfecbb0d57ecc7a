package import Checkpointing

/// What a network is written for.
package enum ExportFormat: String, Sendable, CaseIterable {
    /// safetensors in this program's names, with which `model.start` goes on.
    case pixpro
    /// safetensors in torchvision's names.
    case torchvision
    /// A folder that `timm.create_model` opens.
    case timm
    /// A `.pth` for mmdetection and mmsegmentation.
    case openmmlab
    /// A `.pth` for detectron2, whole detectors in AdelaiDet's names.
    case detectron2
    /// A graph for ONNX's runtimes.
    case onnx
}

/// A network on its way to a file for others.
package struct ExportedNetwork {
    /// What a user calls it: `detector`.
    package let name: String
    /// Under this program's names; those of a backbone alone are torchvision's.
    package let tensors: [NamedTensor]
    package let isBackbone: Bool
    /// What decides which tensors there are: `convention`.
    package let architecture: [String: String]
    /// What whoever is handed the file must know to use it.
    package let card: [String: String]

    package init(
        name: String, tensors: [NamedTensor], isBackbone: Bool, architecture: [String: String], card: [String: String]
    ) {
        (self.name, self.tensors, self.isBackbone) = (name, tensors, isBackbone)
        (self.architecture, self.card) = (architecture, card)
    }
}
