import ImagePipeline
package import Learning
package import MessagePassing
package import NeuralNetwork
package import TensorCore

/// C5 features of pictures by a frozen encoder: its weights do not change and its running statistics normalise.
///
/// All ranks extract, each for its part of the pictures; a picture that cannot be read is skipped and named.
package struct FeatureExtractor {
    package let encoder: any Backbone
    let communicator: any Collective
    /// Pictures in a forward pass.
    let batchSize: Int
    /// Keeps the weights as kernels want them.
    private let convolutions = Convolutions()

    package init(encoder: any Backbone, communicator: any Collective, batchSize: Int = 32) {
        self.encoder = encoder
        self.communicator = communicator
        self.batchSize = batchSize
    }

    /// Mean C5 features on rank zero; the other ranks have no rows.
    package struct Pooled {
        /// [pictures, C]
        package let features: Tensor
        /// Which picture each row is of, ascending.
        package let indices: [Int]
        /// Known to every rank.
        package let skipped: [SkippedPicture]
    }

    /// Images [N, H, W, 3] → C5 [N, ⌈H/32⌉, ⌈W/32⌉, C].
    package func map(_ images: Tensor) throws -> Tensor {
        try encoder(Variable(images), Pass(mode: .evaluation, convolutions: convolutions)).value
    }

    /// The mean C5 feature of each of the pictures `indices`, gathered on rank zero. Collective.
    package func pooled(
        _ pictures: PictureSource, indices: [Int], progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
    ) throws -> Pooled {
        let channels = encoder.top.channels
        var values: [Float] = []
        var read: [Int] = []
        let skipped = try communicator.agree(on: "extracting features") {
            try forEachMap(of: pictures, indices: communicator.slice(of: indices), progress: progress) { batch, map in
                values += map.globallyAveraged().floats
                read += batch
            }
        }
        let gatheredValues = try communicator.gather(values)
        values = []
        let allRead = try communicator.gather(read).flatMap { $0 }
        let features = Tensor([allRead.count, channels])
        var row = 0
        for part in gatheredValues where !part.isEmpty {
            let rows = part.count / channels
            part.withUnsafeBufferPointer { source in
                features.rows(row..<row + rows).pointer.update(from: source.baseAddress!, count: source.count)
            }
            row += rows
        }
        return Pooled(features: features, indices: allRead, skipped: try communicator.gathered(skipped))
    }

    /// Calls `body` with the C5 maps of consecutive pictures of one size, in order, and returns those skipped.
    ///
    /// Local to this rank. The compute threads first load a batch together, then work on it.
    func forEachMap(
        of pictures: PictureSource, indices: ArraySlice<Int>, progress: (_ done: Int, _ total: Int) throws -> Void,
        _ body: (_ pictures: [Int], _ maps: Tensor) throws -> Void
    ) throws -> [SkippedPicture] {
        try loadInBatches(
            indices, batchSize: batchSize, name: pictures.name, load: pictures.load, progress: progress
        ) { loaded in
            var rest = loaded[...]
            while let first = rest.first {
                let run = rest.prefix { $0.value.shape == first.value.shape }
                try body(run.map(\.index), try map(stacked(run.map(\.value))))
                rest = rest.dropFirst(run.count)
            }
        }
    }
}

/// Calls `body` with what could be loaded of each batch of `indices`, in order, and returns what could not.
///
/// The compute threads load a batch together, then `body` has them for its work.
package func loadInBatches<Value>(
    _ indices: ArraySlice<Int>, batchSize: Int, name: (Int) -> String, load: (Int) throws -> Value,
    progress: (_ done: Int, _ total: Int) throws -> Void,
    _ body: (_ loaded: [(index: Int, value: Value)]) throws -> Void
) throws -> [SkippedPicture] {
    try loadBatches(indices, batchSize: batchSize, name: name, load: load, progress: progress) { loaded in
        try body(loaded)
        return [:]
    }
}

/// The same with a body for one at a time: a picture of which that makes nothing (an `ImageError`) is skipped, too.
package func loadEach<Value>(
    _ indices: ArraySlice<Int>, batchSize: Int, name: (Int) -> String, load: (Int) throws -> Value,
    progress: (_ done: Int, _ total: Int) throws -> Void,
    _ body: (_ index: Int, _ value: Value) throws -> Void
) throws -> [SkippedPicture] {
    try loadBatches(indices, batchSize: batchSize, name: name, load: load, progress: progress) { loaded in
        var reasons: [Int: String] = [:]
        for (index, value) in loaded {
            do { try body(index, value) } catch let error as ImageError { reasons[index] = error.reason }
        }
        return reasons
    }
}

/// `body` returns why it could make nothing of pictures.
private func loadBatches<Value>(
    _ indices: ArraySlice<Int>, batchSize: Int, name: (Int) -> String, load: (Int) throws -> Value,
    progress: (_ done: Int, _ total: Int) throws -> Void,
    _ body: (_ loaded: [(index: Int, value: Value)]) throws -> [Int: String]
) throws -> [SkippedPicture] {
    var skipped: [SkippedPicture] = []
    var start = indices.startIndex
    while start < indices.endIndex {
        let end = min(start + batchSize, indices.endIndex)
        let batch = Array(indices[start..<end])
        var loaded: [(index: Int, value: Value)] = [], reasons: [Int: String] = [:]
        for (index, result) in zip(batch, loadTogether(batch, load)) {
            switch result {
            case .success(let value): loaded.append((index, value))
            case .failure(let error): reasons[index] = String(describing: error)
            }
        }
        if !loaded.isEmpty { reasons.merge(try body(loaded)) { $1 } }
        for index in batch {
            if let reason = reasons[index] { skipped.append(SkippedPicture(name: name(index), reason: reason)) }
        }
        try progress(end - indices.startIndex, indices.count)
        start = end
    }
    return skipped
}

/// Loads several items at once on the compute threads.
func loadTogether<Value>(_ indices: [Int], _ load: (Int) throws -> Value) -> [Result<Value, any Error>] {
    var results = [Result<Value, any Error>?](repeating: nil, count: indices.count)
    results.withUnsafeMutableBufferPointer { results in
        parallelFor(indices.count) { _, range in
            for i in range { results[i] = Result { try load(indices[i]) } }
        }
    }
    return results.map { $0! }
}

/// Tensors of one shape as a batch.
func stacked(_ tensors: [Tensor]) -> Tensor {
    let batch = Tensor([tensors.count] + tensors[0].shape)
    for (i, tensor) in tensors.enumerated() { batch.rows(i..<i + 1).copy(from: tensor) }
    return batch
}
