package import Files
package import SystemPackage

/// A safetensors file opened for reading: its header is checked, its tensors are read one by one when asked for.
package final class SafetensorsFile {
    /// What is known of a tensor before it is read.
    package struct Description: Sendable, Equatable {
        package let name: String
        package let elementType: StoredElementType
        package let shape: [Int]
    }

    package let path: FilePath
    /// The free-form texts of the header.
    package let metadata: [String: String]
    /// In the order of the data.
    package let tensors: [Description]
    private let file: any ReadableFile
    private let ranges: [String: Range<Int>]
    private let indices: [String: Int]

    /// Opens `path`. A header that lies about the file is a `FileError` that says in what.
    package init(path: FilePath, files: any FileOperations = SystemFiles()) throws {
        self.path = path
        let file = try files.open(path)
        self.file = file
        func damaged(_ reason: String) -> FileError {
            FileError(
                path: path, reason: "\(reason); it is damaged or no safetensors file: copy it again or use another")
        }
        guard file.size >= 8 else { throw damaged("\(file.size) bytes are too few for a header") }
        let length = try file.bytes(0..<8).withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        guard length <= UInt64(SafetensorsHeader.maximumLength) else {
            throw damaged("its header claims \(length) bytes, more than the \(SafetensorsHeader.maximumLength) allowed")
        }
        guard Int(length) <= file.size - 8 else {
            throw damaged("its header claims \(length) bytes, but the file has only \(file.size)")
        }
        let dataStart = 8 + Int(length)
        let json = try file.bytes(8..<dataStart)
        let header: SafetensorsHeader
        do {
            header = try SafetensorsHeader(json: json, dataLength: file.size - dataStart)
        } catch {
            throw damaged("its header is wrong: \(error)")
        }
        metadata = header.metadata
        tensors = header.entries.map { Description(name: $0.name, elementType: $0.elementType, shape: $0.shape) }
        indices = Dictionary(uniqueKeysWithValues: header.entries.enumerated().map { ($1.name, $0) })
        ranges = Dictionary(
            uniqueKeysWithValues: header.entries.map {
                ($0.name, $0.range.lowerBound + dataStart..<$0.range.upperBound + dataStart)
            })
    }

    /// nil when there is no tensor of that name.
    package func description(of name: String) -> Description? { indices[name].map { tensors[$0] } }

    /// Reads one tensor into new memory.
    package func read(_ name: String) throws -> NamedTensor {
        guard let description = description(of: name) else { throw missing(name) }
        let tensor = NamedTensor(name: name, elementType: description.elementType, shape: description.shape)
        try read(into: tensor)
        return tensor
    }

    /// Reads the tensor of the record's name into the record's memory; type and shape must be the record's.
    package func read(into target: NamedTensor) throws {
        guard let description = description(of: target.name), let range = ranges[target.name] else {
            throw missing(target.name)
        }
        guard description.elementType == target.elementType, description.shape == target.shape else {
            throw FileError(
                path: path,
                reason: "'\(target.name)' is \(description.elementType.rawValue) \(description.shape) in the file, but "
                    + "\(target.elementType.rawValue) \(target.shape) is needed")
        }
        try target.withMutableBytes { try file.read(into: $0, at: range.lowerBound) }
    }

    private func missing(_ name: String) -> FileError {
        FileError(path: path, reason: "has no tensor '\(name)' among its \(tensors.count)")
    }

    /// Writes `tensors` so that `path` holds either its old contents or all of the new ones, also after a crash.
    package static func write(
        _ tensors: [NamedTensor], metadata: [String: String] = [:], to path: FilePath,
        files: any FileOperations = SystemFiles()
    ) throws {
        try files.replace(path) { file in
            try write(tensors, metadata: metadata) { try file.append($0) }
        }
    }

    /// Hands out header and numbers; `progress` hears of the bytes written and the total after each tensor.
    static func write(
        _ tensors: [some StorableTensor], metadata: [String: String],
        append: (UnsafeRawBufferPointer) throws -> Void,
        progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws {
        let names = Set(tensors.map(\.name))
        precondition(names.count == tensors.count && !names.contains("__metadata__"), "tensor names must be unique")
        let header = SafetensorsHeader(describing: tensors, metadata: metadata).encoded
        let total = tensors.reduce(header.count) { $0 + $1.byteCount }
        try header.withUnsafeBytes { try append($0) }
        var done = header.count
        progress(done, total)
        for tensor in SafetensorsHeader.stored(tensors) {
            try tensor.withBytes { try append($0) }
            done += tensor.byteCount
            progress(done, total)
        }
    }
}
