import ImagePipeline
import Learning
import NeuralNetwork
import Optimization
import PixelLearning
import TensorCore
import TestSupport
import Testing

@Suite struct PositivePairsTests {
    private func pairs(_ a: [Float], _ b: [Float], inclusive: Bool = false, threshold: Double = 0.7) -> PositivePairs {
        PositivePairs(
            query: Tensor([1, 4], a), key: Tensor([1, 4], b), rows: 7, columns: 7, threshold: threshold,
            inclusive: inclusive)
    }

    @Test func identicalViewsMatchEachCellWithItself() {
        let result = pairs([0.1, 0.1, 0.8, 0.8], [0.1, 0.1, 0.8, 0.8])
        #expect(result.counts == [49])
        for i in 0..<49 { #expect(Array(result.matches(image: 0, cell: i)) == [Int32(i)]) }
    }

    @Test func aFlippedViewMatchesMirroredColumns() {
        let result = pairs([0.1, 0.1, 0.8, 0.8], [0.8, 0.1, 0.1, 0.8])
        #expect(result.counts == [49])
        for row in 0..<7 {
            for column in 0..<7 {
                #expect(Array(result.matches(image: 0, cell: row * 7 + column)) == [Int32(row * 7 + 6 - column)])
            }
        }
    }

    @Test func distantViewsMatchNowhere() {
        #expect(pairs([0, 0, 0.3, 0.3], [0.7, 0.7, 1, 1]).counts == [0])
    }

    @Test func theThresholdIsStrictInTheCodeAndInclusiveInThePaper() {
        // Cells of 1/8: neighbours lie 1/√2 of a diagonal apart, exactly representable when squared.
        let box: [Float] = [0, 0, 0.875, 0.875]
        let limit = (0.125 * 0.125).squareRoot() / (2 * 0.125 * 0.125).squareRoot()
        #expect(pairs(box, box, threshold: limit).counts == [49])
        #expect(pairs(box, box, inclusive: true, threshold: limit).counts[0] > 49)
    }
}

@Suite struct PropagationTests {
    /// y_i = Σ_j max(cos, clamp)^γ v_j, written as loops in double precision.
    private func plain(_ x: Tensor, _ pixels: Int, gamma: Double, clamp: Double, normalize: Bool) -> [Float] {
        let c = x.shape.last!
        func row(_ i: Int) -> [Double] { (0..<c).map { Double(x.floats[i * c + $0]) } }
        func unit(_ v: [Double]) -> [Double] {
            let norm = max(v.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-12)
            return v.map { $0 / norm }
        }
        return (0..<pixels).flatMap { i -> [Float] in
            var y = [Double](repeating: 0, count: c)
            for j in 0..<pixels {
                let cosine = zip(unit(row(i)), unit(row(j))).reduce(0) { $0 + $1.0 * $1.1 }
                var weight = 1.0
                for _ in 0..<Int(gamma) { weight *= max(cosine, clamp) }
                let value = normalize ? unit(row(j)) : row(j)
                for k in 0..<c { y[k] += weight * value[k] }
            }
            return y.map(Float.init)
        }
    }

    @Test(arguments: [(2.0, 0.0, Dialect.official), (1.0, 0.0, .official), (3.0, -0.2, .paper)])
    func agreesWithItsPlainTwin(_ gamma: Double, _ clamp: Double, _ dialect: Dialect) throws {
        let propagation = PixelPropagation(
            Scope(ModelState(seed: 1)), channels: 256, layers: 0, gamma: gamma, clamp: clamp, dialect: dialect)
        let x = randomTensor([1, 3, 4, 256], key: 1)
        let y = try propagation(Variable(x), Pass(mode: .training)).pixels.value
        let expected = plain(x, 12, gamma: gamma, clamp: clamp, normalize: dialect == .official)
        #expect(relativeError(y.array, expected) < 1e-5)
    }

    /// Along the gradient itself, where nothing of it can hide, and along a random direction.
    @Test(arguments: [0, 1, 2]) func gradientsAgreeWithDirectionalDifferences(_ layers: Int) throws {
        let state = ModelState(seed: 1)
        let propagation = PixelPropagation(
            Scope(state), channels: 256, layers: layers, gamma: 2, clamp: 0, dialect: .official)
        state.allocateGradients()
        let x = randomTensor([2, 2, 2, 256], key: 1)
        let weights = randomTensor([2, 2, 2, 256], key: 2)
        let input = Variable(x, needsGradient: true)
        let tape = Tape()
        let y = try propagation(input, Pass(mode: .training, tape: tape)).pixels
        try tape.backward(from: y, seed: weights.copy())
        func value() throws -> Double {
            try propagation(Variable(x), Pass(mode: .training)).pixels.value.innerProduct(weights)
        }
        /// (f(x + s d) − f(x − s d)) / 2s for the direction d of length 1.
        func slope(of tensor: Tensor, along direction: Tensor) throws -> Double {
            let original = tensor.copy()
            let step = 2e-3 * max(tensor.norm, 1)
            func move(_ by: Double) throws -> Double {
                for i in 0..<tensor.count {
                    tensor.floats[i] = original.floats[i] + Float(by / direction.norm) * direction.floats[i]
                }
                return try value()
            }
            let difference = try move(step) - move(-step)
            tensor.copy(from: original)
            return difference / (2 * step)
        }
        var pairs = [("input", x, try #require(input.takeGradient()))]
        for parameter in state.parameters { pairs.append((parameter.name, parameter.value, parameter.gradient!)) }
        #expect(pairs.count == [1, 3, 7][layers])
        for (name, tensor, gradient) in pairs {
            // Two layers have a rectifier, whose kinks the steps cross.
            let steepest = try slope(of: tensor, along: gradient)
            let tolerance = (layers == 2 ? 2e-2 : 1e-3) * gradient.norm + 1e-3
            #expect(abs(steepest - gradient.norm) < tolerance, "\(name): \(gradient.norm), but \(steepest)")
            let random = randomTensor(tensor.shape, key: 3)
            let expected = gradient.innerProduct(random) / random.norm
            let found = try slope(of: tensor, along: random)
            #expect(abs(found - expected) < 5e-4 + 1e-5 * gradient.norm, "\(name): \(expected), but \(found)")
        }
    }
}

@Suite struct ConsistencyLossTests {
    private let box = Tensor([1, 4], [0, 0, 1, 1])

    private func positives(_ a: Tensor, _ b: Tensor) -> PositivePairs {
        PositivePairs(query: a, key: b, rows: 2, columns: 2, threshold: 0.7, inclusive: false)
    }

    @Test(arguments: [(Dialect.official, -2.0), (.paper, -1.0)])
    func perfectAgreementIsTheMinimum(_ dialect: Dialect, _ minimum: Double) {
        let pass = Pass(mode: .training)
        let unit = normalizeRows(Variable(randomTensor([1, 2, 2, 8], key: 1)), pass)
        let (loss, _) = consistencyLoss(
            query: unit, key: unit.value, positives: positives(box, box), imageWeight: 1, dialect: dialect, pass)
        #expect(abs(loss - minimum) < 1e-5)
    }

    @Test func gradientIsTheMeanMatchingKey() throws {
        let tape = Tape()
        let pass = Pass(mode: .training, tape: tape)
        let query = Variable(randomTensor([1, 2, 2, 8], key: 1), needsGradient: true)
        let key = randomTensor([1, 2, 2, 8], key: 2)
        let (_, loss) = consistencyLoss(
            query: query, key: key, positives: positives(box, box), imageWeight: 0.5, dialect: .official, pass)
        try tape.backward(from: loss, seed: Tensor([1], [1]))
        #expect(relativeError(query.takeGradient()!.array, key.array.map { -2 * 0.5 / 4 * $0 }) < 1e-5)
    }

    @Test func aPairWithoutOverlapScoresZero() throws {
        let pass = Pass(mode: .training)
        let apart = positives(Tensor([1, 4], [0, 0, 0.2, 0.2]), Tensor([1, 4], [0.8, 0.8, 1, 1]))
        let x = Variable(randomTensor([1, 2, 2, 8], key: 1))
        let (loss, _) = consistencyLoss(
            query: x, key: x.value, positives: apart, imageWeight: 1, dialect: .official, pass)
        #expect(apart.counts == [0] && loss == 0)
    }
}

@Suite struct PixProTests {
    private var settings: PixelModelSettings {
        var settings = PixelModelSettings()
        settings.architecture = .resnet18
        settings.projectorWidth = 64
        return settings
    }

    @Test func theMomentumEncoderStartsEqualAndFollows() throws {
        let model = PixelModel(settings, seed: 1)
        let online = model.online.parameters, twin = model.momentum.parameters
        #expect(
            twin.map(\.name)
                == online.prefix(twin.count).map {
                    $0.name.replacing("encoder.", with: "encoder_k.").replacing("projector.", with: "projector_k.")
                })
        for (a, b) in zip(online, twin) { #expect(a.value.array == b.value.array) }
        online[0].value.fill(1)
        twin[0].value.fill(0)
        let average = MovingAverage(
            state: model.momentum, followed: model.followed, coefficient: MomentumSchedule(base: 0.75))
        average.move(by: average.coefficient.momentum(at: ScheduleProgress(done: 0, of: 1)))
        #expect(twin[0].value.array.allSatisfy { $0 == 0.25 })
    }

    @Test func publishedSize() {
        let model = PixelModel(PixelModelSettings(), seed: 1)
        #expect(model.online.parameters.reduce(0) { $0 + $1.value.count } == 33_023_552)
    }

    @Test func aStepReportsEachParameterOnceAndGivesItAGradient() throws {
        let model = PixelModel(settings, seed: 1)
        // A last scale of zero, as training begins, would keep whole branches from having a gradient.
        for parameter in model.online.parameters where parameter.name.hasSuffix("bn2.weight") {
            parameter.value.fill(0.5)
        }
        model.online.allocateGradients()
        let views = [randomTensor([2, 64, 64, 3], key: 1), randomTensor([2, 64, 64, 3], key: 2)]
        let box = Tensor([2, 4], [0, 0, 1, 1, 0.2, 0.2, 0.9, 0.9])
        let matches = model.positives(query: box, key: box, imageSize: 64)
        let statistics = LocalStatistics()
        let targets = try views.map { try model.target($0, statistics: statistics) }
        var ready: [String] = []
        for (index, view) in views.enumerated() {
            _ = try OnlineView(model, view: view).learn(
                PixelModel.Direction(targets: targets[1 - index].pixels, positives: matches, imageWeights: [0.5]),
                statistics, onGradientReady: index == 1 ? { ready.append($0.name) } : nil)
        }
        #expect(Set(ready).count == ready.count && ready.count == model.online.parameters.count)
        #expect(ready.first?.hasPrefix("value_transform") == true && ready.last == "encoder.conv1.weight")
        for parameter in model.online.parameters {
            let gradient = try #require(parameter.gradient)
            #expect(gradient.isFinite && gradient.norm > 0, "\(parameter.name)")
        }
    }
}
