package import NeuralNetwork

/// Which tensors of a checkpoint a file for others holds, and what they are called there.
package struct ExportMap: Sendable {
    /// What a user calls it: `online`.
    package let name: String
    /// The name in the file of a tensor of the checkpoint; nil for what is left out.
    package let fileName: @Sendable (_ name: String) -> String?
    /// What the file is where it is a backbone alone.
    package let backbone: (architecture: ResNetArchitecture, outputStride: Int)?

    package init(
        name: String, backbone: (architecture: ResNetArchitecture, outputStride: Int)? = nil,
        fileName: @escaping @Sendable (_ name: String) -> String?
    ) {
        (self.name, self.fileName, self.backbone) = (name, fileName, backbone)
    }

    /// Takes the tensors whose names begin with `prefix`, without it, and nothing that optimisers remember.
    package init(
        name: String, withoutPrefix prefix: String,
        backbone: (architecture: ResNetArchitecture, outputStride: Int)? = nil
    ) {
        self.init(name: name, backbone: backbone) {
            $0.hasPrefix(prefix) && !$0.hasPrefix("optimizer.") ? String($0.dropFirst(prefix.count)) : nil
        }
    }
}
