import Foundation
import ImagePipeline
import Learning
import NeuralNetwork
import PixelLearning
import TensorCore
import TestSupport
import Testing

@Suite struct ContrastTests {
    /// Eq. 2 written out in double precision, and its gradient by finite differences.
    @Test func theLossIsThatOfThePaper() throws {
        let shape = [2, 2, 3, 4], temperature = 0.3, weight = 0.25
        let key = randomTensor(shape, key: 2).normalizedRows().unit
        let boxes = (
            Tensor([2, 4], [0, 0, 0.6, 0.5, 0, 0, 0.2, 0.2]), Tensor([2, 4], [0.2, 0.1, 0.7, 0.6, 0.7, 0.7, 1, 1])
        )
        let positives = PositivePairs(
            query: boxes.0, key: boxes.1, rows: 2, columns: 3, threshold: 1.2, inclusive: false)
        #expect(positives.counts[0] > 0 && positives.counts[1] == 0, "one image pair overlaps: \(positives.counts)")

        func plain(_ query: [Double]) -> Double {
            let mask = (0..<2).flatMap { positives.mask(image: $0, cells: 0..<6).array },
                k = key.array.map { Double($0) }
            var total = 0.0
            for image in 0..<2 {
                var losses: [Double] = []
                for i in 0..<6 {
                    var all = 0.0, matching = 0.0
                    for j in 0..<6 {
                        let cosine = (0..<4).reduce(0) {
                            $0 + query[(image * 6 + i) * 4 + $1] * k[(image * 6 + j) * 4 + $1]
                        }
                        all += exp(cosine / temperature)
                        if mask[(image * 6 + i) * 6 + j] > 0 { matching += exp(cosine / temperature) }
                    }
                    if matching > 0 { losses.append(log(all / matching)) }
                }
                if !losses.isEmpty { total += weight * losses.reduce(0, +) / Double(losses.count) }
            }
            return total
        }

        let query = Variable(randomTensor(shape, key: 1).normalizedRows().unit, needsGradient: true), tape = Tape()
        let (loss, variable) = contrastLoss(
            query: query, key: key, positives: positives, imageWeight: weight, temperature: temperature,
            Pass(mode: .training, tape: tape))
        let start = query.value.array.map { Double($0) }
        #expect(abs(loss - plain(start)) < 1e-6 && loss > 0.01)
        try tape.backward(from: variable, seed: Tensor([1], [1]))
        let gradient = try #require(query.takeGradient()).array
        for place in start.indices {
            var up = start, down = start
            up[place] += 1e-5
            down[place] -= 1e-5
            #expect(abs(Double(gradient[place]) - (plain(up) - plain(down)) / 2e-5) < 1e-5)
        }
    }

    @Test func entropyIsOneWhereWeightIsEqualAndZeroAtOnePlace() {
        for (weights, expected) in [([1, 1, 1, 1], 1), ([0, 3, 0, 0], 0), ([0, 0, 0, 0], nil)] as [([Float], Double?)] {
            #expect(relativeEntropy(Tensor([4], weights).pointer, count: 4) == expected)
        }
    }

    /// What the branch adds is registered under the published names, followed, and counted.
    @Test(arguments: [InstanceSettings.Kind.byol, .simclr]) func theInstanceBranchHasItsNetworks(
        _ kind: InstanceSettings.Kind
    )
        throws
    {
        var settings = PixelModelSettings()
        (settings.architecture, settings.projectorWidth, settings.projectionChannels) = (.tiny, 8, 4)
        settings.instance.kind = kind
        let model = PixelModel(settings, seed: 1)
        let names = model.online.parameters.map(\.name)
        #expect(names.contains { $0.hasPrefix("projector_instance.") })
        #expect(names.contains { $0.hasPrefix("predictor.") } == (kind == .byol))
        #expect(model.followed.count == model.momentum.parameters.count)
        #expect(model.momentum.parameters.contains { $0.name.hasPrefix("projector_instance_k.") })
        var pretraining = PretrainingSettings()
        pretraining.model = settings
        let count = model.online.parameters.reduce(0) { $0 + $1.value.count }
        #expect(pretraining.parameterCount == count)
        #expect(PretrainingTask(pretraining).leastMicroBatch == (kind == .simclr ? 2 : 1))
    }
}
