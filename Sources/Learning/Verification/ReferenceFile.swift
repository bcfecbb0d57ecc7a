package import Checkpointing
import Files
package import SystemPackage
package import TensorCore

/// A reference: inputs, initial weights and what a few steps of a task must give, computed elsewhere in double precision.
///
/// safetensors in PyTorch's layout (NCHW, OIHW), under the names of checkpoints. Of every task:
/// - `input.<name>` [K, N, …]: what K steps of N images eat;
/// - `weights.<name>`: every parameter and running statistic before the first step;
/// - `expected.loss` [K] and its parts `expected.loss.<part>` [K]; `expected.gradient.<name>` of the first step, before
///   decay; `expected.weights.<name>` after the last; `expected.features.<name>`: maps of the first step in training mode;
/// - `drift.<the same names>` [1] (`drift.loss` [K]): how far the reference's own float32 run was from it, relative to
///   |expected| + 1e-6 of its kind's largest norm (the loss: absolutely).
///
/// Metadata, all texts: `lr` (one for each step, with commas) and what the task's subject reads.
package struct ReferenceFile {
    package let file: SafetensorsFile
    package let metadata: ReferenceMetadata
    /// One for each step.
    package let learningRates: [Double]
    /// The parts of the loss that the file has beside the loss itself.
    package let lossParts: [String]
    /// The drift of each tensor of a kind, by the tensor's name.
    package let drifts: [String: [String: Double]]

    /// A kind whose median drift is above this says nothing: a rectifier fell on the other side of zero early.
    package static let largestMedianDrift = 1e-4

    package init(path: FilePath) throws {
        let file = try SafetensorsFile(path: path)
        self.file = file
        metadata = ReferenceMetadata(path: path, texts: file.metadata)
        learningRates = try metadata.list("lr", Double.init)
        lossParts = file.tensors.map(\.name).filter { $0.hasPrefix("expected.loss.") }.map { String($0.dropFirst(14)) }
        drifts = try Self.drifts(file)
    }

    package var path: FilePath { file.path }
    package var steps: Int { learningRates.count }

    /// Of tensors that are compared.
    private static let kinds = [
        "features", "gradient", "weights", "evaluation", "outputs", "hole_gradient", "penalty_gradient",
    ]

    /// Those that move where a rectifier's input is on the other side of zero.
    static let kindsBehindRectifiers: Set = [
        "gradient", "weights", "hole_gradient", "penalty_gradient", "complete_gradient",
    ]

    /// What a tensor of a kind is called behind `expected.` and `drift.`; a kind of one tensor has its name.
    package static func key(_ kind: String, _ name: String) -> String { name.isEmpty ? kind : "\(kind).\(name)" }

    /// The drift of a tensor, or of a number.
    package func drift(_ key: String) throws -> Double {
        try require("drift.\(key)", shape: [1])
        return Double(try floats("drift.\(key)")[0])
    }

    /// The drifts of whole tensors by kind; throws where they are no numbers or their median is too large.
    private static func drifts(_ file: SafetensorsFile) throws -> [String: [String: Double]] {
        var drifts: [String: [String: Double]] = [:]
        for kind in kinds {
            let prefix = "drift.\(kind)."
            for tensor in file.tensors where tensor.name.hasPrefix(prefix) {
                let values = try file.readTensor(tensor.name).array
                guard values.count == 1, values[0] >= 0, values[0].isFinite else {
                    throw ReferenceError(
                        description: "\(file.path.shown): '\(tensor.name)' must be one finite number, not negative")
                }
                drifts[kind, default: [:]][String(tensor.name.dropFirst(prefix.count))] = Double(values[0])
            }
            if let median = drifts[kind]?.values.median, median > largestMedianDrift {
                throw ReferenceError(
                    description: "\(file.path.shown): the median drift of its \(kind) is \(significant(median)), above "
                        + "\(largestMedianDrift): its float32 run went another way than its exact one, and so would any "
                        + "other; write the reference anew with another seed")
            }
        }
        return drifts
    }

    // MARK: What must be there

    /// The shape of a tensor; throws where there is none of that name.
    package func shape(of name: String) throws -> [Int] {
        guard let found = file.description(of: name)?.shape else {
            throw ReferenceError(description: "\(path.shown): has no '\(name)'; write the reference again, whole")
        }
        return found
    }

    /// [steps, images, 3, height, width] of an input of pictures; throws where it is something else.
    package func shape(ofPictures name: String) throws -> [Int] {
        let shape = try shape(of: name)
        guard shape.count == 5, shape[2] == 3, shape[0] == steps, shape.allSatisfy({ $0 > 0 }) else {
            throw ReferenceError(
                description:
                    "\(path.shown): '\(name)' must be [steps, images, 3, height, width] with one learning rate for each "
                    + "of the steps")
        }
        return shape
    }

    /// Throws unless the file has this tensor in this shape.
    package func require(_ name: String, shape: [Int]) throws {
        let found = try self.shape(of: name)
        guard found == shape else {
            throw ReferenceError(description: "\(path.shown): '\(name)' is \(found), but \(shape) is needed")
        }
    }

    /// Throws unless the file expects exactly these tensors of a kind, in these shapes and each with its drift: what
    /// it expects and this program does not have is not to be passed over.
    package func requireExpectations(_ kind: String, _ expected: [(name: String, shape: [Int])]) throws {
        for (name, shape) in expected {
            try require("expected.\(Self.key(kind, name))", shape: shape)
            try require("drift.\(Self.key(kind, name))", shape: [1])
        }
        let prefix = "expected.\(kind).", known = Set(expected.map(\.name))
        for tensor in file.tensors where tensor.name.hasPrefix(prefix) {
            guard known.contains(String(tensor.name.dropFirst(prefix.count))) else {
                throw ReferenceError(
                    description:
                        "\(path.shown): '\(tensor.name)' is nothing that this model has: the metadata names "
                        + "another architecture, or another program's names were used")
            }
        }
    }

    // MARK: Inputs

    package func floats(_ name: String) throws -> [Float] { try file.readTensor(name).array }

    /// Rows of an input [K, N, …] of a step: those of some of its N images, [images, …].
    package func rows(_ name: String, step: Int, images: Range<Int>) throws -> Tensor {
        let shape = try shape(of: name), count = shape[1]
        let all = try file.readTensor(name).reshaped([shape[0] * count] + shape.dropFirst(2))
        return all.rows(step * count + images.lowerBound..<step * count + images.upperBound).copy()
    }

    /// The same of pictures [K, N, 3, H, W], in this program's layout: [images, H, W, 3].
    package func pictures(_ name: String, step: Int, images: Range<Int>) throws -> Tensor {
        let stored = try rows(name, step: step, images: images), (height, width) = (stored.shape[2], stored.shape[3])
        return stored.permutedInner(outer: images.count, rows: 3, columns: height * width)
            .reshaped([images.count, height, width, 3])
    }
}

extension Collection<Double> {
    /// The upper one of the two in the middle where their count is even; nil without any.
    var median: Double? { isEmpty ? nil : sorted()[count / 2] }
}
