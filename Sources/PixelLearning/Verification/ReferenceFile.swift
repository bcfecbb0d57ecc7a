import Checkpointing
import Files
import ImagePipeline
import Learning
import MessagePassing
import NeuralNetwork
import SystemPackage
import TensorCore

/// A reference: inputs, initial weights and what a few steps must give, computed elsewhere in double precision.
///
/// safetensors in PyTorch's layout (NCHW, OIHW) and the published names (`encoder.*`, `projector.*`, `encoder_k.*`,
/// `projector_k.*`, `value_transform.*`, `projector_instance(_k).*`, `predictor.*`, `pyramid(_k).*`, and for the towers t =
/// cls and bbox `tower_<t>(_k).*`, `projector_<t>(_k).*`, `value_transform_<t>.*`):
/// - `input.view1|view2` [K, N, 3, H, W] and `input.box1|box2` [K, N, 4], as (x0, y0, x1, y1) in 0…1, x0 > x1 where
///   flipped;
/// - `weights.<name>`: every parameter and running statistic before the first step;
/// - `expected.loss` [K] and its terms, `expected.loss.pixel|instance|level<l>[.<t>]`; `expected.gradient.<name>` of the
///   first step, before decay; `expected.weights.<name>` after the last; of the first step's first view
///   `expected.features.encoder1|projection1|propagated1|instance1`, of a pyramid `level<l>.pyramid1`, `level<l>.<t>.tower1`
///   and `level<l>[.<t>].projection1|propagated1`;
/// - `drift.<the same names>` [1] (`drift.loss` [K]): how far the reference's own float32 run was from it, relative to
///   |expected| + 1e-6 of its kind's largest norm (the loss: absolutely).
///
/// Metadata, all texts: `arch` (a published ResNet, or `tiny`), `hidden` (width of the projector), `gamma`, `clamp`,
/// `threshold`, `base_momentum`, `total_steps`, `lr` (one for each step, with commas), `weight_decay`, `sgd_momentum`,
/// `trust`, `dialect`; `projection` (channels that the projector makes) where they are not 256; and where they are there
/// `method`, `temperature`, `instance`, `instance_weight`, `instance_temperature`; of a pyramid
/// `pyramid_levels` (with commas), `pyramid_channels` and `tower_depth`.
struct ReferenceFile {
    let file: SafetensorsFile
    let settings: PretrainingSettings
    let totalSteps: Int
    let learningRates: [Double]
    /// Steps, images and side of the inputs.
    let steps, images, size: Int
    /// The parts of the loss that the file has beside the loss itself: none, or the only one of PixPro's.
    let lossTerms: [String]
    /// The drift of each tensor of a kind, by the tensor's name.
    let drifts: [String: [String: Double]]

    /// A kind whose median drift is above this says nothing: a rectifier fell on the other side of zero early.
    static let largestMedianDrift = 1e-4

    init(path: FilePath) throws {
        let file = try SafetensorsFile(path: path)
        self.file = file
        let metadata = ReferenceMetadata(path: path, texts: file.metadata)
        var settings = PretrainingSettings()
        settings.model = try metadata.settings()
        settings.baseMomentum = try metadata.parsed("base_momentum", Double.init)
        settings.optimizer.momentum = try metadata.parsed("sgd_momentum", Double.init)
        settings.optimizer.weightDecay = try metadata.parsed("weight_decay", Double.init)
        settings.optimizer.trustCoefficient = try metadata.parsed("trust", Double.init)
        self.settings = settings
        totalSteps = try metadata.parsed("total_steps", Int.init)
        learningRates = try metadata.parsed("lr") { text in
            let rates = text.split(separator: ",").map { Double($0) }
            return rates.contains { $0 == nil } ? nil : rates.compactMap { $0 }
        }
        guard totalSteps > 0 else {
            throw ReferenceError(description: "\(path.shown): metadata 'total_steps' must be positive")
        }
        guard let shape = file.description(of: "input.view1")?.shape, shape.count == 5, shape[2] == 3,
            shape[0] == learningRates.count, shape[3] == shape[4], shape.allSatisfy({ $0 > 0 })
        else {
            throw ReferenceError(
                description:
                    "\(path.shown): 'input.view1' must be [steps, images, 3, size, size] with one learning rate for "
                    + "each of the steps")
        }
        (steps, images, size) = (shape[0], shape[1], shape[3])
        lossTerms = file.tensors.map(\.name).filter { $0.hasPrefix("expected.loss.") }.map { String($0.dropFirst(14)) }
        drifts = try Self.drifts(file)
        try checkShapes()
    }

    /// Throws unless inputs and losses are whole, and the projector as wide as the metadata says: a model of that width
    /// is made next.
    private func checkShapes() throws {
        try require("input.view2", shape: [steps, images, 3, size, size])
        for name in ["input.box1", "input.box2"] { try require(name, shape: [steps, images, 4]) }
        let known =
            ["pixel"] + settings.model.terms.map(\.name)
            + (settings.model.instance.kind == .none ? [] : ["instance"])
        if let strange = lossTerms.first(where: { !known.contains($0) }) {
            throw ReferenceError(
                description: "\(file.path.shown): 'expected.loss.\(strange)' is nothing that this method's loss has")
        }
        for term in [""] + lossTerms.map({ "." + $0 }) {
            for name in ["expected.loss\(term)", "drift.loss\(term)"] { try require(name, shape: [steps]) }
        }
        let (hidden, projection) = (settings.model.projectorWidth, settings.model.projectionChannels)
        for branch in settings.model.branchSuffixes {
            try require("weights.projector\(branch).linear1.bias", shape: [hidden])
            try require("weights.projector\(branch).linear2.weight", shape: [projection, hidden, 1, 1])
        }
        let pyramid = settings.model.pyramid
        for level in pyramid.levels.numbers {
            try require("weights.pyramid.output\(level).bn.bias", shape: [pyramid.channels])
        }
        for branch in settings.model.branchSuffixes where settings.model.hasTowers {
            try require("weights.tower\(branch).\(pyramid.towerDepth - 1).gn.bias", shape: [pyramid.channels])
        }
    }

    /// The drifts of features, gradients and weights; throws where they are no numbers or their median is too large.
    private static func drifts(_ file: SafetensorsFile) throws -> [String: [String: Double]] {
        var drifts: [String: [String: Double]] = [:]
        for kind in ["features", "gradient", "weights"] {
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

    /// Throws unless the file has this tensor in this shape.
    private func require(_ name: String, shape: [Int]) throws {
        guard let found = file.description(of: name)?.shape else {
            throw ReferenceError(description: "\(file.path.shown): has no '\(name)'; write the reference again, whole")
        }
        guard found == shape else {
            throw ReferenceError(description: "\(file.path.shown): '\(name)' is \(found), but \(shape) is needed")
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
                    description:
                        "\(file.path.shown): '\(tensor.name)' is nothing that this model has: the metadata names "
                        + "another architecture, or another program's names were used")
            }
        }
    }

    /// The images `range` of a step, in this program's layout.
    func batch(step: Int, images range: Range<Int>) throws -> TwoViewBatch {
        func view(_ name: String) throws -> Tensor {
            let all = try file.readTensor(name).reshaped([steps * images, 3, size, size])
            let mine = all.rows(step * images + range.lowerBound..<step * images + range.upperBound)
            return mine.permutedInner(outer: range.count, rows: 3, columns: size * size)
                .reshaped([range.count, size, size, 3])
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
}

extension Collection<Double> {
    /// The upper one of the two in the middle where their count is even; nil without any.
    var median: Double? { isEmpty ? nil : sorted()[count / 2] }
}

/// The settings in a reference's header.
private struct ReferenceMetadata {
    let path: FilePath
    let texts: [String: String]

    func parsed<Value>(_ key: String, _ parse: (String) -> Value?) throws -> Value {
        guard let text = texts[key] else {
            throw ReferenceError(description: "\(path.shown): no '\(key)' in its metadata; is it a reference file?")
        }
        guard let value = parse(text) else {
            throw ReferenceError(description: "\(path.shown): metadata '\(key)' is '\(text)', which cannot be read")
        }
        return value
    }

    func settings() throws -> PixelModelSettings {
        var settings = PixelModelSettings()
        settings.architecture = try parsed("arch", ResNetArchitecture.init(rawValue:))
        settings.projectorWidth = try parsed("hidden", Int.init)
        if texts["projection"] != nil { settings.projectionChannels = try parsed("projection", Int.init) }
        settings.gamma = try parsed("gamma", Double.init)
        settings.clamp = try parsed("clamp", Double.init)
        settings.threshold = try parsed("threshold", Double.init)
        settings.dialect = try parsed("dialect", Dialect.init(rawValue:))
        settings.transformLayers = 1
        if texts["method"] != nil || texts["instance"] != nil {
            settings.method = try parsed("method", PixelMethod.init(rawValue:))
            settings.temperature = try parsed("temperature", Double.init)
            settings.instance.kind = try parsed("instance", InstanceSettings.Kind.init(rawValue:))
            settings.instance.weight = try parsed("instance_weight", Double.init)
            settings.instance.temperature = try parsed("instance_temperature", Double.init)
        }
        if texts["pyramid_levels"].map({ !$0.isEmpty }) == true { settings.pyramid = try pyramid() }
        guard settings.projectorWidth > 0, settings.projectionChannels > 0, settings.gamma >= 0,
            settings.threshold >= 0,
            settings.temperature > 0, settings.instance.temperature > 0
        else {
            throw ReferenceError(
                description:
                    "\(path.shown): metadata 'hidden', 'projection' and temperatures must be positive, 'gamma' and "
                    + "'threshold' not negative")
        }
        return settings
    }
}

extension ReferenceMetadata {
    fileprivate func pyramid() throws -> PyramidSettings {
        var pyramid = PyramidSettings()
        pyramid.levels = try parsed("pyramid_levels") { text in
            let numbers = text.split(separator: ",").map { Int($0) }
            return numbers.contains(nil) ? nil : PyramidLevels(numbers.compactMap { $0 })
        }
        pyramid.channels = try parsed("pyramid_channels", Int.init)
        pyramid.towerDepth = try parsed("tower_depth", Int.init)
        let groups = pyramid.towerDepth > 0 ? DetectorTower.groups : 1
        guard pyramid.channels > 0, pyramid.channels.isMultiple(of: groups), (0...16).contains(pyramid.towerDepth)
        else {
            throw ReferenceError(
                description:
                    "\(path.shown): metadata 'pyramid_channels' must be positive, with towers a multiple of "
                    + "\(DetectorTower.groups), and 'tower_depth' from 0 to 16")
        }
        return pyramid
    }
}

/// The reference cannot be used; thrown alike on every rank.
package struct ReferenceError: SharedError, CustomStringConvertible {
    package let description: String
}
