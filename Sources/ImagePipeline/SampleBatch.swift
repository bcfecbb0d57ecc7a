package import Files
package import TensorCore

/// What a step eats: samples that can be kept as bytes, and be made a batch of again.
package protocol SampleBatch: AnyObject {
    /// Each sample, bit for bit.
    var packed: [[UInt8]] { get }
    /// A batch of samples of one batch or several. Throws `PackedReader.Damaged` for what are none.
    init(packed: [[UInt8]]) throws
}

extension PackedWriter {
    /// A tensor of float32.
    package mutating func add(_ tensor: Tensor) {
        add(tensor.shape) { $0.add($1) }
        add(Array(UnsafeRawBufferPointer(start: tensor.bytes, count: tensor.byteCount)))
    }
}

extension PackedReader {
    package mutating func tensor() throws -> Tensor {
        let shape = try list { try $0.number() }, bytes = try text()
        var count = bytes.count / 4
        // Without a product that could be too large.
        for side in shape {
            guard side > 0, count % side == 0 else { throw Damaged() }
            count /= side
        }
        guard count == 1, bytes.count % 4 == 0 else { throw Damaged() }
        let tensor = Tensor(shape)
        bytes.withUnsafeBytes { tensor.bytes.copyMemory(from: $0.baseAddress!, byteCount: bytes.count) }
        return tensor
    }
}

extension Tensor {
    /// Tensors [1, …] of one shape as one [N, …]; throws where they are not of one.
    fileprivate static func stacked(_ rows: [Tensor]) throws -> Tensor {
        guard let shape = rows.first?.shape, shape.first == 1, rows.allSatisfy({ $0.shape == shape }) else {
            throw PackedReader.Damaged()
        }
        let result = Tensor([rows.count] + shape.dropFirst())
        for (place, row) in rows.enumerated() { result.rows(place..<place + 1).copy(from: row) }
        return result
    }
}

extension TwoViewBatch: SampleBatch {
    package var packed: [[UInt8]] {
        (0..<view1.shape[0]).map { place in
            var writer = PackedWriter()
            for tensor in [view1, view2, box1, box2] { writer.add(tensor.rows(place..<place + 1)) }
            return writer.bytes
        }
    }

    package convenience init(packed: [[UInt8]]) throws {
        let samples = try packed.map { bytes in
            var reader = PackedReader(bytes)
            return try (0..<4).map { _ in try reader.tensor() }
        }
        let parts = try (0..<4).map { part in try Tensor.stacked(samples.map { $0[part] }) }
        let shape = parts[0].shape
        guard shape.count == 4, shape[1] == shape[2], shape[3] == 3, parts[1].shape == shape,
            parts[2].shape == [shape[0], 4], parts[3].shape == parts[2].shape
        else { throw PackedReader.Damaged() }
        self.init(view1: parts[0], view2: parts[1], box1: parts[2], box2: parts[3])
    }
}

extension LabelledBatch: SampleBatch {
    package var packed: [[UInt8]] {
        (0..<images.shape[0]).map { place in
            var writer = PackedWriter()
            writer.add(images.rows(place..<place + 1))
            writer.add(labels(place))
            return writer.bytes
        }
    }

    package convenience init(packed: [[UInt8]]) throws {
        let samples = try packed.map { bytes in
            var reader = PackedReader(bytes)
            return (image: try reader.tensor(), labels: Array(try reader.text()))
        }
        let images = try Tensor.stacked(samples.map(\.image)), shape = images.shape
        guard shape.count == 4, shape[3] == 3, samples.allSatisfy({ $0.labels.count == shape[1] * shape[2] }) else {
            throw PackedReader.Damaged()
        }
        self.init(images: images, labels: samples.map(\.labels))
    }
}

extension MaskedBatch: SampleBatch {
    package var packed: [[UInt8]] {
        windows.enumerated().map { place, window in
            var writer = PackedWriter()
            for tensor in [images, masks] { writer.add(tensor.rows(place..<place + 1)) }
            for number in [window.top, window.left, window.height, window.width] { writer.add(number) }
            return writer.bytes
        }
    }

    package convenience init(packed: [[UInt8]]) throws {
        let samples = try packed.map { bytes in
            var reader = PackedReader(bytes)
            return (
                image: try reader.tensor(), mask: try reader.tensor(),
                window: PixelWindow(
                    top: try reader.number(), left: try reader.number(), height: try reader.number(),
                    width: try reader.number())
            )
        }
        let images = try Tensor.stacked(samples.map(\.image)), masks = try Tensor.stacked(samples.map(\.mask))
        let shape = images.shape
        guard shape.count == 4, shape[3] == 3, masks.shape == Array(shape[..<3]) + [1],
            samples.allSatisfy({ $0.window.isInside(height: shape[1], width: shape[2]) })
        else { throw PackedReader.Damaged() }
        self.init(images: images, masks: masks, windows: samples.map(\.window))
    }
}

extension PixelWindow {
    fileprivate func isInside(height: Int, width: Int) -> Bool {
        [top, left, self.height, self.width].allSatisfy { (0...max(height, width)).contains($0) }
            && top + self.height <= height && left + self.width <= width
    }
}
