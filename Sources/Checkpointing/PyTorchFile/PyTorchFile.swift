package import Files
package import SystemPackage

/// A file of PyTorch's, opened for reading: weights by their names, of either layout that `torch.save` writes (the zip
/// of 1.6, and the sequence of pickles before it). Nothing in it is executed.
///
/// Names are the keys that lead to a tensor, with dots between: `model.module.encoder.conv1.weight`. Storages that
/// tensors share, strides and views are followed; what is no tensor, number, text, dictionary, list or tuple is skipped
/// and named.
package final class PyTorchFile: WeightsFile {
    package let path: FilePath
    package let tensors: [SafetensorsFile.Description]
    package let skipped: [String]
    private let file: any ReadableFile
    private let views: [String: PyTorchView]
    /// Where the numbers of each storage lie, by key.
    private let storages: [String: Range<Int>]

    /// A file that is damaged, lies about its sizes, or is a program is a `FileError` that says so.
    package init(path: FilePath, files: any FileOperations = SystemFiles()) throws {
        self.path = path
        let file = try files.open(path)
        self.file = file
        do {
            let contents = try PyTorchLayout.isZip(file) ? PyTorchLayout.zip(file) : PyTorchLayout.sequence(file)
            let named = try NamedViews(contents)
            for view in named.views.values {
                let needed = view.extent.upperBound * view.elementType.byteCount
                guard let place = contents.storages[view.storage.key], needed <= place.count else {
                    throw PyTorchFailure("lacks numbers of storage '\(shownText(view.storage.key))'; it was cut short")
                }
            }
            (views, storages, skipped) = (named.views, contents.storages, named.skipped)
            tensors = named.order.map { name in
                SafetensorsFile.Description(
                    name: name, elementType: named.views[name]!.elementType, shape: named.views[name]!.shape)
            }
        } catch let failure as PyTorchFailure {
            throw FileError(path: path, reason: failure.description)
        }
    }

    /// Reads one tensor into new memory.
    package func read(_ name: String) throws -> NamedTensor {
        guard let view = views[name], let place = storages[view.storage.key] else {
            throw FileError(path: path, reason: "has no tensor '\(name)' among its \(tensors.count)")
        }
        let size = view.elementType.byteCount, extent = view.extent
        let tensor = NamedTensor(name: name, elementType: view.elementType, shape: view.shape)
        let start = place.lowerBound + extent.lowerBound * size
        if view.isContiguous {
            try tensor.withMutableBytes { try file.read(into: $0, at: start) }
        } else {
            let stored = try file.bytes(start..<start + extent.count * size)
            tensor.withMutableBytes { view.gather(stored, into: $0) }
        }
        return tensor
    }
}

extension PyTorchView {
    /// Puts the numbers in order, the last dimension fastest.
    fileprivate func gather(_ stored: [UInt8], into target: UnsafeMutableRawBufferPointer) {
        let size = elementType.byteCount
        var index = [Int](repeating: 0, count: shape.count), from = 0
        stored.withUnsafeBytes { source in
            for place in 0..<count {
                target.baseAddress!.advanced(by: place * size).copyMemory(
                    from: source.baseAddress!.advanced(by: from * size), byteCount: size)
                for axis in shape.indices.reversed() {
                    index[axis] += 1
                    from += strides[axis]
                    guard index[axis] == shape[axis] else { break }
                    from -= shape[axis] * strides[axis]
                    index[axis] = 0
                }
            }
        }
    }
}

/// The tensors of a pickle by the keys that lead to them.
private struct NamedViews {
    private(set) var views: [String: PyTorchView] = [:]
    /// As they stand in the file.
    private(set) var order: [String] = []
    private(set) var skipped: [String] = []
    private var visits = 0

    /// So many objects are met at most, and so deep: an object may hold itself.
    private static let mostVisits = 1 << 18
    private static let mostDepth = 32
    /// In bytes; a long key would stand in the name of all that it holds.
    private static let longestKey = 256

    init(_ contents: PyTorchLayout) throws {
        try visit(contents.root, [], contents.objects)
        guard !order.isEmpty else {
            throw PyTorchFailure(
                "holds no tensor"
                    + (skipped.isEmpty ? "" : "; skipped were " + skipped.prefix(8).joined(separator: ", ")))
        }
    }

    private mutating func visit(_ value: PickleValue, _ path: [String], _ objects: [PickleObject]) throws {
        visits += 1
        guard visits <= Self.mostVisits, path.count <= Self.mostDepth else {
            throw PyTorchFailure("holds itself, or is nested deeper than \(Self.mostDepth)")
        }
        let name = path.joined(separator: ".")
        if case .global(let type) = value { return skip(name, type) }
        guard case .object(let place) = value else { return }
        switch objects[place] {
        case .tensor(let view):
            guard views.updateValue(view, forKey: name) == nil else {
                throw PyTorchFailure("has two tensors of the name '\(shownText(name))'")
            }
            order.append(name)
        case .dictionary(let pairs):
            for (key, value) in pairs {
                guard let component = key.nameComponent, component.utf8.count <= Self.longestKey else {
                    skip(name, "a key that is no number and no short text")
                    continue
                }
                try visit(value, path + [component], objects)
            }
        case .list(let items), .tuple(let items):
            for (index, item) in items.enumerated() { try visit(item, path + ["\(index)"], objects) }
        case .opaque(let type): skip(name, type)
        case .storage: skip(name, "a storage")
        }
    }

    private mutating func skip(_ name: String, _ type: String) {
        let type = type.replacing(" ", with: ".")
        skipped.append(name.isEmpty ? type : "\(name) (\(type))")
    }
}
