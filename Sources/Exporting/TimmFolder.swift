import Checkpointing
import Files
import ImagePipeline
import Learning
import SystemPackage

extension ExportedNetwork {
    /// A folder with config.json, model.safetensors and a model card, as `timm.create_model('local-dir:FOLDER')` opens it.
    func writeTimmFolder(_ folder: FilePath, _ files: any FileOperations) throws {
        guard isBackbone else {
            throw ExportError(
                "timm has backbones alone, and the \(name) is more: export its backbone, or take another format")
        }
        let weights = try renamed(for: .timm)
        guard let architecture = architecture["architecture"] else {
            throw ExportError("the checkpoint does not say of what architecture it is")
        }
        try files.makeDirectories(folder)
        let expected: Set = ["config.json", "model.safetensors", "README.md"]
        guard try files.names(in: folder).allSatisfy({ expected.contains($0.string) }) else {
            throw ExportError("\(folder.shown) is not empty; name a new folder, so that nothing is overwritten")
        }
        try SafetensorsFile.write(weights, metadata: card, to: folder.appending("model.safetensors"), files: files)
        for (name, text) in [("config.json", timmConfiguration(architecture)), ("README.md", modelCard(architecture))] {
            try files.replace(folder.appending(name)) { try $0.append(Array(text.utf8)) }
        }
    }

    /// Fields are those of timm's `save_for_hf` (timm/models/_hub.py).
    private func timmConfiguration(_ architecture: String) -> String {
        let size = card["trained_image_size"].flatMap { Int($0) } ?? 224
        let channels = tensors.filter { $0.name.hasPrefix("layer4.") }.compactMap(\.shape.first).max() ?? 0
        let stride = card["output_stride"] ?? "32"
        let pixels = PixelNormalization(card) ?? .imageNet
        func list(_ values: SIMD3<Float>) -> String { "[\(values.x), \(values.y), \(values.z)]" }
        return """
            {
              "architecture": \(architecture.quotedAsJSON),
              "num_classes": 0,
              "num_features": \(channels),
              "global_pool": "avg",
              "model_args": {\(stride == "32" ? "" : "\"output_stride\": \(stride)")},
              "pretrained_cfg": {
                "tag": "pixpro",
                "custom_load": false,
                "input_size": [3, \(size), \(size)],
                "fixed_input_size": false,
                "interpolation": "bilinear",
                "crop_pct": 0.875,
                "crop_mode": "center",
                "mean": \(list(pixels.mean)),
                "std": \(list(pixels.deviation)),
                "num_classes": 0,
                "first_conv": "conv1",
                "classifier": "fc"
              }
            }

            """
    }

    private func modelCard(_ architecture: String) -> String {
        // Of several lines, and in model.safetensors.
        let facts = card.filter { !$0.value.contains("\n") && !["format", "producer"].contains($0.key) }
        let rows = facts.sorted { $0.key < $1.key }.map { key, value in
            "| \(key) | \(value.replacing("|", with: "\\|")) |"
        }
        return """
            ---
            library_name: timm
            tags:
            - image-feature-extraction
            - timm
            ---
            # \(architecture), trained by pixpro

            A backbone without a classifier. Images are RGB in 0…1, then `(x - mean) / std`.

            ```python
            import timm
            model = timm.create_model('local-dir:FOLDER', pretrained=True)                       # pooled features
            model = timm.create_model('local-dir:FOLDER', pretrained=True, features_only=True)   # its maps
            ```

            | | |
            | --- | --- |
            \(rows.joined(separator: "\n"))

            """
    }
}
