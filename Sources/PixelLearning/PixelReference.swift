import Files
package import ImagePipeline
package import Learning
package import NeuralNetwork
package import TensorCore

/// What references hold of pretraining.
///
/// Beside what every reference has: `input.view1|view2` [K, N, 3, S, S] and `input.box1|box2` [K, N, 4], as (x0, y0, x1, y1)
/// in 0…1, x0 > x1 where flipped; the published names of weights (`encoder.*`, `projector.*`, `encoder_k.*`,
/// `projector_k.*`, `value_transform.*`, `projector_instance(_k).*`, `predictor.*`, `pyramid(_k).*`, and for the towers t =
/// cls and bbox `tower_<t>(_k).*`, `projector_<t>(_k).*`, `value_transform_<t>.*`); the parts
/// `expected.loss.pixel|instance|level<l>[.<t>]`; and of the first step's first view the features
/// `encoder1|projection1|propagated1|instance1`, of a pyramid `level<l>.pyramid1`, `level<l>.<t>.tower1` and
/// `level<l>[.<t>].projection1|propagated1`.
///
/// Metadata: `arch` (a published ResNet, or `tiny`), `hidden` (width of the projector), `gamma`, `clamp`, `threshold`,
/// `base_momentum`, `total_steps`, `weight_decay`, `sgd_momentum`, `trust`, `dialect`; `projection` (channels that the
/// projector makes) where they are not 256; and where they are there `method`, `temperature`, `instance`,
/// `instance_weight`, `instance_temperature`; of a pyramid `pyramid_levels` (with commas), `pyramid_channels` and
/// `tower_depth`.
package struct PixelReference: ReferenceSubject {
    package static let taskName: String? = nil

    /// Other programs' references, which name no task either, have no backbone.
    package static func recognizes(_ metadata: ReferenceMetadata) -> Bool {
        !metadata.has("task") && metadata.has("arch")
    }

    package let reference: ReferenceFile
    package let images: Int
    package let totalSteps: Int
    /// The only one of PixPro's loss, the terms of a pyramid, and the instance branch's.
    package let lossParts: [String]
    private let settings: PretrainingSettings

    package init(_ reference: ReferenceFile) throws {
        self.reference = reference
        let metadata = reference.metadata
        var settings = PretrainingSettings()
        settings.model = try metadata.pixelModelSettings()
        settings.baseMomentum = try metadata.parsed("base_momentum", Double.init)
        settings.optimizer.momentum = try metadata.parsed("sgd_momentum", Double.init)
        settings.optimizer.weightDecay = try metadata.parsed("weight_decay", Double.init)
        settings.optimizer.trustCoefficient = try metadata.parsed("trust", Double.init)
        self.settings = settings
        totalSteps = try metadata.number("total_steps", in: 1...Int.max)
        let shape = try reference.shape(ofPictures: "input.view1")
        guard shape[3] == shape[4] else {
            throw ReferenceError(
                description: "\(reference.path.shown): 'input.view1' is \(shape), but views are square")
        }
        images = shape[1]
        lossParts =
            ["pixel"] + settings.model.terms.map(\.name).filter { !$0.isEmpty }
            + (settings.model.instance.kind == .none ? [] : ["instance"])
        try checkShapes(of: shape)
        try checkLossParts()
    }

    /// Throws unless inputs are whole, and the projector as wide as the metadata says: a model of that width is made next.
    private func checkShapes(of views: [Int]) throws {
        try reference.require("input.view2", shape: views)
        for name in ["input.box1", "input.box2"] { try reference.require(name, shape: [views[0], images, 4]) }
        let (hidden, projection) = (settings.model.projectorWidth, settings.model.projectionChannels)
        for branch in settings.model.branchSuffixes {
            try reference.require("weights.projector\(branch).linear1.bias", shape: [hidden])
            try reference.require("weights.projector\(branch).linear2.weight", shape: [projection, hidden, 1, 1])
        }
        let pyramid = settings.model.pyramid
        for level in pyramid.levels.numbers {
            try reference.require("weights.pyramid.output\(level).bn.bias", shape: [pyramid.channels])
        }
        for branch in settings.model.branchSuffixes where settings.model.hasTowers {
            try reference.require("weights.tower\(branch).\(pyramid.towerDepth - 1).gn.bias", shape: [pyramid.channels])
        }
    }

    package func makeTask(engines: EngineList) -> PretrainingTask { PretrainingTask(settings, engines: engines) }

    package func batch(step: Int, images: Range<Int>) throws -> TwoViewBatch {
        TwoViewBatch(
            view1: try reference.pictures("input.view1", step: step, images: images),
            view2: try reference.pictures("input.view2", step: step, images: images),
            box1: try reference.rows("input.box1", step: step, images: images),
            box2: try reference.rows("input.box2", step: step, images: images))
    }

    /// A loss of one part is that part.
    package func loss(_ part: String, of totals: Figures.Totals) -> Double {
        part == "pixel" && lossParts.count == 1 ? totals.sum("loss") : totals.sum("loss \(part)")
    }

    package func features(
        _ task: PretrainingTask, _ batch: TwoViewBatch, _ pass: Pass
    ) throws -> [String: Tensor] {
        task.model.stages(try task.model.predict(batch.view1, pass))
    }
}

extension ReferenceMetadata {
    fileprivate func pixelModelSettings() throws -> PixelModelSettings {
        var settings = PixelModelSettings()
        settings.architecture = try parsed("arch", ResNetArchitecture.init(rawValue:))
        settings.projectorWidth = try number("hidden", in: 1...Int.max)
        if has("projection") { settings.projectionChannels = try number("projection", in: 1...Int.max) }
        settings.gamma = try parsed("gamma", Double.init)
        settings.clamp = try parsed("clamp", Double.init)
        settings.threshold = try parsed("threshold", Double.init)
        settings.dialect = try parsed("dialect", Dialect.init(rawValue:))
        settings.transformLayers = 1
        if has("method") || has("instance") {
            settings.method = try parsed("method", PixelMethod.init(rawValue:))
            settings.temperature = try parsed("temperature", Double.init)
            settings.instance.kind = try parsed("instance", InstanceSettings.Kind.init(rawValue:))
            settings.instance.weight = try parsed("instance_weight", Double.init)
            settings.instance.temperature = try parsed("instance_temperature", Double.init)
        }
        if has("pyramid_levels"), try !text("pyramid_levels").isEmpty { settings.pyramid = try pyramid() }
        guard settings.gamma >= 0, settings.threshold >= 0, settings.temperature > 0, settings.instance.temperature > 0
        else {
            throw ReferenceError(
                description:
                    "\(path.shown): metadata temperatures must be positive, 'gamma' and 'threshold' not negative")
        }
        return settings
    }

    private func pyramid() throws -> PyramidSettings {
        var pyramid = PyramidSettings()
        pyramid.levels = try parsed("pyramid_levels") { text in
            let numbers = text.split(separator: ",").map { Int($0) }
            return numbers.contains(nil) ? nil : PyramidLevels(numbers.compactMap { $0 })
        }
        pyramid.channels = try number("pyramid_channels", in: 1...65_536)
        pyramid.towerDepth = try number("tower_depth", in: 0...16)
        guard pyramid.towerDepth == 0 || pyramid.channels.isMultiple(of: DetectorTower.groups) else {
            throw ReferenceError(
                description:
                    "\(path.shown): metadata 'pyramid_channels' must with towers be a multiple of "
                    + "\(DetectorTower.groups)")
        }
        return pyramid
    }
}
