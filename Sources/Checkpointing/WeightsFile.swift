import Files
package import SystemPackage
package import TensorCore

/// A file of named tensors, whoever wrote it.
package protocol WeightsFile: AnyObject {
    var path: FilePath { get }
    /// In the order of the file.
    var tensors: [SafetensorsFile.Description] { get }
    /// What else was in it and was not made anything of.
    var skipped: [String] { get }
    func read(_ name: String) throws -> NamedTensor
}

extension SafetensorsFile: WeightsFile {
    package var skipped: [String] { [] }
}

extension WeightsFile {
    /// Reads a tensor of floating-point numbers, converted to float32.
    package func readTensor(_ name: String) throws -> Tensor {
        let stored = try read(name)
        guard let tensor = stored.tensor else {
            throw FileError(
                path: path, reason: "'\(name)' holds \(stored.elementType.rawValue), not floating-point numbers")
        }
        return tensor
    }
}

/// Opens a safetensors file or one of PyTorch's, as its first bytes say: names lie.
package func openWeights(_ path: FilePath) throws -> any WeightsFile {
    let file = try InputFile(path: path), start = try file.bytes(0..<min(file.size, 4))
    // A zip, or a pickle of protocol 2 or later.
    let isPyTorch = start == [0x50, 0x4B, 3, 4] || start.starts(with: [0x80]) && start.dropFirst().first ?? 9 <= 5
    // A safetensors file whose header has such a length, 1152 bytes say, begins with it in 64 bits and then its brace.
    let isSafetensors = try file.size > 8 && file.bytes(4..<9) == [0, 0, 0, 0, UInt8(ascii: "{")]
    return try isPyTorch && !isSafetensors ? PyTorchFile(path: path) : SafetensorsFile(path: path)
}
