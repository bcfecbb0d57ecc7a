import ImagePipeline
import NeuralNetwork
import PixelLearning
import Settings
import TensorCore
import TestSupport
import Testing

/// Pixels of a pyramid's levels, with towers and without.
@Suite struct PyramidTests {
    private func settings(_ levels: PyramidLevels, towerDepth: Int, _ method: PixelMethod = .pixpro)
        -> PixelModelSettings
    {
        var settings = PixelModelSettings()
        (settings.architecture, settings.projectorWidth, settings.projectionChannels) = (.tiny, 8, 4)
        settings.method = method
        settings.pyramid.levels = levels
        (settings.pyramid.channels, settings.pyramid.towerDepth) = (32, towerDepth)
        return settings
    }

    @Test func levelsAndTowersAreNamed() {
        #expect(settings([], towerDepth: 0).terms.map(\.name) == [""])
        #expect(settings([3, 5], towerDepth: 0).terms.map(\.name) == ["level3", "level5"])
        let terms = settings([4, 5], towerDepth: 2).terms
        #expect(terms.map(\.name) == ["level4.cls", "level4.bbox", "level5.cls", "level5.bbox"])
        #expect(terms.map(\.level) == [0, 0, 1, 1] && terms.map(\.branch) == [0, 1, 0, 1])
        #expect(settings([3, 4, 5], towerDepth: 0).levels.map { $0.cells(224) } == [28, 14, 7])
    }

    @Test func levelsAreReadFromAList() throws {
        func read(_ text: String) throws -> [Int]? {
            PyramidLevels(yaml: try PyramidLevels.node(ofArgument: text))?.numbers
        }
        #expect(try read("[3, 4, 5]") == [3, 4, 5])
        #expect(try read("[]") == [])
        for text in ["[5, 4]", "[3, 3]", "[1, 2]", "[6]", "[three]", "3", "C5", "null"] {
            #expect(try read(text) == nil)
        }
        #expect(PyramidLevels([3, 4])?.yaml == "[3, 4]")
    }

    /// Everything but value transforms and predictor has a momentum copy; parameters are counted before there is a model.
    @Test(
        arguments: [([3, 4, 5], 2), ([5], 0), ([2, 3, 4, 5], 1)] as [(PyramidLevels, Int)],
        [PixelMethod.pixpro, .pixcontrast])
    func networksAreNamedFollowedAndCounted(_ pyramid: (levels: PyramidLevels, towerDepth: Int), _ method: PixelMethod)
        throws
    {
        let settings = settings(pyramid.levels, towerDepth: pyramid.towerDepth, method)
        let model = PixelModel(settings, seed: 1)
        let names = model.online.parameters.map(\.name)
        let expected =
            pyramid.towerDepth > 0
            ? [
                "tower_cls.0.gn.weight", "tower_bbox.0.conv.bias", "projector_cls.bn1.weight",
                "projector_bbox.bn1.weight",
            ]
            : ["projector.bn1.weight"]
        #expect(Set(names).isSuperset(of: expected + ["pyramid.lateral5.conv.weight", "pyramid.output5.bn.bias"]))
        #expect(names.contains { $0.hasPrefix("value_transform") } == (method == .pixpro))
        let copies = model.momentum.parameters.map { parameter in
            let parts = parameter.name.split(separator: ".")
            return ([parts[0].dropLast(2)] + parts.dropFirst()).joined(separator: ".")
        }
        #expect(copies == names.filter { !$0.hasPrefix("value_transform") } && copies == model.followed.map(\.name))
        var pretraining = PretrainingSettings()
        pretraining.model = settings
        #expect(pretraining.parameterCount == model.online.parameters.reduce(0) { $0 + $1.value.count })
    }

    @Test func aStepReachesEveryParameterOnceAndLossesOfAllTermsWeighEqually() throws {
        let model = PixelModel(settings([3, 4, 5], towerDepth: 1), seed: 1)
        for parameter in model.online.parameters where parameter.name.hasSuffix("bn2.weight") {
            parameter.value.fill(0.5)
        }
        model.online.allocateGradients()
        let views = [randomTensor([2, 64, 64, 3], key: 1), randomTensor([2, 64, 64, 3], key: 2)]
        let box = Tensor([2, 4], [0, 0, 1, 1, 0.2, 0.2, 0.9, 0.9])
        let positives = model.positives(query: box, key: box, imageSize: 64)
        #expect(positives.map(\.counts) == [[64, 64], [16, 16], [4, 4]])
        let target = try model.target(views[0], statistics: LocalStatistics())
        #expect(target.pixels.map(\.shape) == [8, 8, 4, 4, 2, 2].map { [2, $0, $0, 4] })
        var ready: [String] = []
        let losses = try OnlineView(model, view: views[1]).learn(
            PixelModel.Direction(
                targets: target.pixels, positives: positives, imageWeights: [0.5, 0.5, 0.5]),
            LocalStatistics(), onGradientReady: { ready.append($0.name) })
        #expect(losses.terms.count == 6 && losses.terms.allSatisfy { (-2...2).contains($0) })
        #expect(abs(losses.pixel - losses.terms.reduce(0, +) / 6) < 1e-12)
        #expect(Set(ready).count == ready.count && ready.count == model.online.parameters.count)
        for parameter in model.online.parameters {
            let gradient = try #require(parameter.gradient)
            #expect(gradient.isFinite && gradient.norm > 0, "\(parameter.name)")
        }
    }

    @Test(
        arguments: [([], 64, "method.pyramid.levels is empty"), ([3], 48, "the 32 groups")]
            as [(PyramidLevels, Int, String)])
    func towersNeedLevelsAndWholeGroups(_ levels: PyramidLevels, _ channels: Int, _ words: String) {
        var settings = PretrainingSettings()
        (settings.model.pyramid.levels, settings.model.pyramid.channels) = (levels, channels)
        settings.model.pyramid.towerDepth = 1
        #expect(settings.contradictions { $0 }.map { $0.message.contains(words) } == [true])
    }
}

/// Similarities of maps with more cells than a block has rows.
@Suite struct SimilarityPropagationTests {
    private let rows = 2 * SimilarityPropagation.blockRows + 7
    private let propagation = SimilarityPropagation(clamp: 0, exponent: 2)

    private func inputs() -> (unit: Tensor, values: Tensor, outputGradient: Tensor) {
        let shape = [2, rows, 6]
        return (
            randomTensor(shape, key: 1).normalizedRows().unit, randomTensor(shape, key: 2), randomTensor(shape, key: 3)
        )
    }

    /// s, and max(c, 0)² of it, in double precision.
    @Test func blocksMakeTheWhole() {
        let (unit, values, _) = inputs(), u = unit.array, v = values.array
        let output = propagation(unit: unit, values: values).output
        for (image, i) in [(0, 0), (0, rows - 1), (1, 130), (1, 200)] {
            var expected = [Double](repeating: 0, count: 6)
            for j in 0..<rows {
                let a = (image * rows + i) * 6, b = (image * rows + j) * 6
                let cosine = max((0..<6).reduce(0.0) { $0 + Double(u[a + $1]) * Double(u[b + $1]) }, 0)
                for c in 0..<6 { expected[c] += cosine * cosine * Double(v[b + c]) }
            }
            let at = (image * rows + i) * 6
            #expect(relativeError(Array(output.array[at..<at + 6]), expected.map(Float.init)) < 1e-5)
        }
    }

    @Test func theGradientOfBlocksIsTheirDerivative() {
        let (unit, values, dy) = inputs()
        let gradients = propagation.gradients(unit: unit, values: values, outputGradient: dy)
        func slope(of tensor: Tensor, along direction: Tensor) -> Double {
            let start = tensor.copy(), step: Float = 1e-3
            func value(_ by: Float) -> Double {
                for i in 0..<tensor.count { tensor.floats[i] = start.floats[i] + by * direction.floats[i] }
                return propagation(unit: unit, values: values).output.innerProduct(dy)
            }
            let difference = value(step) - value(-step)
            tensor.copy(from: start)
            return difference / Double(2 * step)
        }
        for (tensor, gradient) in [(unit, gradients.unit), (values, gradients.values)] {
            // Along itself, where nothing of it can hide.
            let direction = gradient.copy(), size = gradient.norm
            direction.scaleInPlace(Float(1 / size))
            #expect(abs(slope(of: tensor, along: direction) - size) < 1e-2 * size)
        }
    }
}
