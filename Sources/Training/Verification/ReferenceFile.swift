import Checkpointing
import ImagePipeline
import MessagePassing
import NeuralNetwork
import PixelLearning
import TensorCore

/// A reference: inputs, initial weights and what a few steps must give, computed elsewhere in double precision.
///
/// safetensors in PyTorch's layout (NCHW, OIHW) and the published names (`encoder.*`, `projector.*`, `encoder_k.*`,
/// `projector_k.*`, `value_transform.*`):
/// - `input.view1|view2` [K, N, 3, H, W] and `input.box1|box2` [K, N, 4], as (x0, y0, x1, y1) in 0…1, x0 > x1 where
///   flipped;
/// - `weights.<name>`: every parameter and running statistic before the first step;
/// - `expected.loss` [K]; `expected.gradient.<name>` of the first step, before decay; `expected.weights.<name>` after the
///   last; `expected.features.encoder1|projection1|propagated1` of the first step's first view;
/// - `drift.<the same names>` [1] (`drift.loss` [K]): how far the reference's own float32 run was from it, relative to
///   |expected| + 1e-6 of its kind's largest norm (the loss: absolutely).
///
/// Metadata, all texts: `arch`, `hidden` (width of the projector), `gamma`, `clamp`, `threshold`, `base_momentum`,
/// `total_steps`, `lr` (one for each step, with commas), `weight_decay`, `sgd_momentum`, `trust`, `dialect`.
struct ReferenceFile {
    let file: SafetensorsFile
    let settings: PixProSettings
    let baseMomentum: Double
    let totalSteps: Int
    let learningRates: [Double]
    let weightDecay: Double
    let sgdMomentum: Double
    let trustCoefficient: Double
    /// Steps, images, height and width of the inputs.
    let steps, images, height, width: Int

    init(path: String) throws {
        let file = try SafetensorsFile(path: path)
        self.file = file
        func text(_ key: String) throws -> String {
            guard let value = file.metadata[key] else {
                throw ReferenceError(description: "\(path): no '\(key)' in its metadata; is it a reference file?")
            }
            return value
        }
        func parsed<Value>(_ key: String, _ parse: (String) -> Value?) throws -> Value {
            guard let value = parse(try text(key)) else {
                throw ReferenceError(
                    description: "\(path): metadata '\(key)' is '\(try text(key))', which cannot be read")
            }
            return value
        }
        var settings = PixProSettings()
        settings.architecture = try parsed("arch", ResNetArchitecture.init(rawValue:))
        settings.projectorWidth = try parsed("hidden", Int.init)
        settings.gamma = try parsed("gamma", Double.init)
        settings.clamp = try parsed("clamp", Double.init)
        settings.threshold = try parsed("threshold", Double.init)
        settings.dialect = try parsed("dialect", Dialect.init(rawValue:))
        settings.transformLayers = 1
        self.settings = settings
        baseMomentum = try parsed("base_momentum", Double.init)
        totalSteps = try parsed("total_steps", Int.init)
        learningRates = try parsed("lr") { text in
            let rates = text.split(separator: ",").map { Double($0) }
            return rates.contains { $0 == nil } ? nil : rates.compactMap { $0 }
        }
        weightDecay = try parsed("weight_decay", Double.init)
        sgdMomentum = try parsed("sgd_momentum", Double.init)
        trustCoefficient = try parsed("trust", Double.init)

        guard settings.projectorWidth > 0, settings.gamma >= 0, settings.threshold >= 0, totalSteps > 0 else {
            throw ReferenceError(
                description: "\(path): metadata 'hidden' and 'total_steps' must be positive, 'gamma' and 'threshold' "
                    + "not negative")
        }
        guard let shape = file.description(of: "input.view1")?.shape, shape.count == 5, shape[2] == 3,
            shape[0] == learningRates.count, shape.allSatisfy({ $0 > 0 })
        else {
            throw ReferenceError(
                description: "\(path): 'input.view1' must be [steps, images, 3, height, width] with one learning rate "
                    + "for each of the steps")
        }
        (steps, images, height, width) = (shape[0], shape[1], shape[3], shape[4])
        try require("input.view2", shape: shape)
        for name in ["input.box1", "input.box2"] { try require(name, shape: [steps, images, 4]) }
        for name in ["expected.loss", "drift.loss"] { try require(name, shape: [steps]) }
    }

    /// Throws unless the file has this tensor in this shape.
    private func require(_ name: String, shape: [Int]) throws {
        guard let found = file.description(of: name)?.shape else {
            throw ReferenceError(description: "\(file.path): has no '\(name)'; write the reference again, whole")
        }
        guard found == shape else {
            throw ReferenceError(description: "\(file.path): '\(name)' is \(found), but \(shape) is needed")
        }
    }

    /// Throws unless the file expects exactly these tensors of a kind, in these shapes and each with its drift: what
    /// it expects and this program does not have is not to be passed over.
    func requireExpectations(_ kind: String, _ expected: [(name: String, shape: [Int])]) throws {
        for (name, shape) in expected {
            try require("expected.\(kind).\(name)", shape: shape)
            try require("drift.\(kind).\(name)", shape: [1])
        }
        let prefix = "expected.\(kind).", known = Set(expected.map(\.name))
        for tensor in file.tensors where tensor.name.hasPrefix(prefix) {
            guard known.contains(String(tensor.name.dropFirst(prefix.count))) else {
                throw ReferenceError(
                    description: "\(file.path): '\(tensor.name)' is nothing that this model has: the metadata names "
                        + "another architecture, or another program's names were used")
            }
        }
    }

    /// The images `range` of a step, in this program's layout.
    func batch(step: Int, images range: Range<Int>) throws -> TwoViewBatch {
        func view(_ name: String) throws -> Tensor {
            let all = try file.readTensor(name).reshaped([steps * images, 3, height, width])
            let mine = all.rows(step * images + range.lowerBound..<step * images + range.upperBound)
            return mine.permutedInner(outer: range.count, rows: 3, columns: height * width)
                .reshaped([range.count, height, width, 3])
        }
        func boxes(_ name: String) throws -> Tensor {
            let all = try file.readTensor(name).reshaped([steps * images, 4])
            return all.rows(step * images + range.lowerBound..<step * images + range.upperBound).copy()
        }
        return TwoViewBatch(
            view1: try view("input.view1"), view2: try view("input.view2"), box1: try boxes("input.box1"),
            box2: try boxes("input.box2"))
    }

    func floats(_ name: String) throws -> [Float] { try file.readTensor(name).array }

    /// The drift of each tensor of a kind ("gradient", "weights", "features"), by the tensor's name.
    func drifts(of kind: String) throws -> [String: Double] {
        let prefix = "drift.\(kind)."
        return try Dictionary(
            uniqueKeysWithValues: file.tensors.map(\.name).filter { $0.hasPrefix(prefix) }.map {
                ($0.dropFirst(prefix.count).description, Double(try floats($0)[0]))
            })
    }
}

/// The reference cannot be used; thrown alike on every rank.
public struct ReferenceError: SharedError, CustomStringConvertible {
    public let description: String
}
