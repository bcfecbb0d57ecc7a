package import Files
package import SystemPackage

/// What `torch.load(weights_only=True)` makes of a file that is written here: dictionaries, in order, of tensors and of
/// what says something of them.
package enum PyTorchValue {
    case text(String)
    case integer(Int)
    case flag(Bool)
    case tensor(NamedTensor)
    case dictionary([(key: String, value: PyTorchValue)])

    /// Tensors by their names, in the order of these.
    package static func tensors(_ tensors: [NamedTensor]) -> PyTorchValue {
        .dictionary(tensors.sorted { $0.name < $1.name }.map { ($0.name, .tensor($0)) })
    }

    package static func texts(_ texts: [String: String]) -> PyTorchValue {
        .dictionary(texts.sorted { $0.key < $1.key }.map { ($0.key, .text($0.value)) })
    }
}

extension PyTorchFile {
    /// Writes a value as `torch.save` does since PyTorch 1.6; equal values make equal bytes. `path` holds either its old
    /// contents or all of the new ones, also after a crash.
    package static func write(
        _ value: PyTorchValue, to path: FilePath, files: any FileOperations = SystemFiles()
    ) throws {
        var pickle = PickleWriter()
        pickle.end(value)
        let folder = "archive"
        try files.replace(path) { file in
            var zip = ZipWriter(file)
            try pickle.bytes.withUnsafeBytes { try zip.add("\(folder)/data.pkl", $0) }
            try Array("little".utf8).withUnsafeBytes { try zip.add("\(folder)/byteorder", $0) }
            for (key, tensor) in pickle.storages.enumerated() {
                try tensor.withBytes { try zip.add("\(folder)/data/\(key)", $0) }
            }
            try Array("3\n".utf8).withUnsafeBytes { try zip.add("\(folder)/version", $0) }
            try zip.finish()
        }
    }
}

/// Python's pickle, protocol 2, of the few things that weights are: nothing in it calls anything but what makes tensors.
///
/// Opcodes are those of CPython's `pickletools`.
private struct PickleWriter {
    private(set) var bytes: [UInt8] = [0x80, 2]
    /// Those of whose numbers the pickle only says where they are.
    private(set) var storages: [NamedTensor] = []

    mutating func end(_ value: PyTorchValue) {
        add(value)
        op(".")
    }

    private mutating func add(_ value: PyTorchValue) {
        switch value {
        case .text(let text): add(text)
        case .integer(let number): add(number)
        case .flag(let flag): bytes.append(flag ? 0x88 : 0x89)
        case .tensor(let tensor): add(tensor)
        case .dictionary(let pairs):
            op("}(")
            for (key, value) in pairs {
                add(key)
                add(value)
            }
            op("u")
        }
    }

    private mutating func op(_ codes: String) { bytes += codes.utf8 }

    private mutating func add(_ text: String) {
        op("X")
        withUnsafeBytes(of: UInt32(text.utf8.count).littleEndian) { bytes += $0 }
        bytes += text.utf8
    }

    /// Of one byte, of four with sign, or of eight.
    private mutating func add(_ number: Int) {
        if let byte = UInt8(exactly: number) {
            op("K")
            bytes.append(byte)
        } else if let word = Int32(exactly: number) {
            op("J")
            withUnsafeBytes(of: word.littleEndian) { bytes += $0 }
        } else {
            bytes += [0x8A, 8]
            withUnsafeBytes(of: Int64(number).littleEndian) { bytes += $0 }
        }
    }

    private mutating func add(_ numbers: [Int]) {
        op("(")
        for number in numbers { add(number) }
        op("t")
    }

    private mutating func add(global module: String, _ name: String) { op("c\(module)\n\(name)\n") }

    /// `_rebuild_tensor_v2(storage, 0, sizes, strides, False, OrderedDict())`, the storage being a reference to a record.
    private mutating func add(_ tensor: NamedTensor) {
        add(global: "torch._utils", "_rebuild_tensor_v2")
        op("((")
        add("storage")
        add(global: "torch", PyTorchCalls.storageName(of: tensor.elementType))
        add("\(storages.count)")
        add("cpu")
        add(tensor.count)
        op("tQ")
        add(0)
        add(tensor.shape)
        add(tensor.shape.indices.map { axis in tensor.shape[(axis + 1)...].reduce(1, *) })
        add(.flag(false))
        add(global: "collections", "OrderedDict")
        op(")RtR")
        storages.append(tensor)
    }
}
