import Checkpointing
package import Files
package import SystemPackage

extension ExportedNetwork {
    /// Writes a file, or timm's folder; equal networks make equal bytes.
    ///
    /// - Parameter graph: what the network computes, for ONNX alone.
    package func write(
        _ format: ExportFormat, to path: FilePath, graph: GraphBuilder? = nil, files: any FileOperations = SystemFiles()
    ) throws {
        switch format {
        case .pixpro: try SafetensorsFile.write(tensors, metadata: card, to: path, files: files)
        case .torchvision:
            try SafetensorsFile.write(try renamed(for: format), metadata: card, to: path, files: files)
        case .timm: try writeTimmFolder(path, files)
        case .openmmlab:
            let weights = try renamed(for: format)
            try PyTorchFile.write(
                .dictionary([("meta", .texts(card)), ("state_dict", .tensors(weights))]), to: path, files: files)
        case .detectron2:
            let weights = try renamed(for: format)
            try PyTorchFile.write(
                .dictionary([
                    ("model", .tensors(weights)), ("__author__", .text("pixpro")),
                    ("matching_heuristics", .flag(isBackbone)), ("meta", .texts(card)),
                ]), to: path, files: files)
        case .onnx:
            guard let graph else { throw ExportError("nobody has said what the \(name) computes: take another format") }
            let model = try graph.model(name: name, metadata: card)
            try files.replace(path) { file in try file.append(model.bytes) }
        }
    }
}
