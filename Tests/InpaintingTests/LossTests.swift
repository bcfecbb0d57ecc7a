import Foundation
import ImagePipeline
import Inpainting
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

@Suite struct LossTests {
    @Test func errorsAreDiscountedByTheDistanceToWhatIsKnown() {
        let (height, width) = (9, 7), random = randomTensor([height, width], key: 1)
        let holes = random.array.map { $0 < 0.6 }
        let found = HoleDiscount.overHole(HoleMask(height: height, width: width, holes: holes), base: 0.9)
        for place in holes.indices {
            let (y, x) = (place / width, place % width)
            let nearest = holes.indices.filter { !holes[$0] }.map {
                Double(($0 / width - y) * ($0 / width - y) + ($0 % width - x) * ($0 % width - x))
            }.min()!
            #expect(abs(found[place] - (holes[place] ? pow(0.9, nearest.squareRoot()) : 0)) < 1e-12)
        }
        let full = HoleMask(height: 3, width: 4, holes: [Bool](repeating: true, count: 12))
        #expect(HoleDiscount.overHole(full, base: 0.9).allSatisfy { $0 == 0 })
    }

    private func batch(seed: UInt64) -> MaskedBatch {
        let masks = Tensor.zeros([2, 8, 8, 1])
        for (image, corner) in [(0, 1), (1, 3)] {
            for y in corner..<corner + 3 {
                for x in corner..<corner + 4 { masks.floats[(image * 8 + y) * 8 + x] = 1 }
            }
        }
        return MaskedBatch(
            images: randomTensor([2, 8, 8, 3], key: seed), masks: masks,
            windows: [
                PixelWindow(top: 1, left: 1, height: 4, width: 4), PixelWindow(top: 3, left: 2, height: 4, width: 4),
            ])
    }

    @Test(arguments: [Discount.fromWindow, .fromKnown]) func bothErrorsHaveTheirGradient(_ discount: Discount) throws {
        let batch = batch(seed: 3), output = randomTensor([2, 8, 8, 3], key: 4)
        let weights = ReconstructionWeights(
            batch, discount, base: 0.9, counts: .init(images: 2, hole: 24, known: 104), share: 0.5)
        func loss(_ x: Variable, _ pass: Pass) -> ReconstructionLoss {
            ReconstructionLoss(x, images: batch.images, weights, holeFactor: 1.5, knownFactor: 0.25, pass)
        }
        let tape = Tape(), x = Variable(output, needsGradient: true)
        let found = loss(x, Pass(mode: .training, tape: tape))
        try tape.backward(from: found.variable, seed: Tensor([1], [2]))
        let gradient = try #require(x.takeGradient()).array
        let numeric = gradient.indices.map { place -> Float in
            func at(_ change: Float) -> Double {
                let moved = output.copy()
                moved.floats[place] += change
                let loss = loss(Variable(moved), Pass(mode: .evaluation))
                return 1.5 * loss.hole + 0.25 * loss.known
            }
            return Float(2 * (at(1e-3) - at(-1e-3)) / 2e-3)
        }
        #expect(relativeError(gradient, numeric) < 2e-2)
        #expect(abs(Double(found.variable.value.floats[0]) - (1.5 * found.hole + 0.25 * found.known)) < 1e-6)
    }

    @Test func pastingKeepsWhatIsKnown() throws {
        let batch = batch(seed: 5), x = Variable(randomTensor([2, 8, 8, 3], key: 6), needsGradient: true)
        let tape = Tape(), pass = Pass(mode: .training, tape: tape)
        let pasted = pasteIntoHoles(x, of: batch.images, masks: batch.masks, pass)
        for pixel in 0..<128 {
            let source = batch.masks.floats[pixel] == 1 ? x.value : batch.images
            for i in 3 * pixel..<3 * pixel + 3 { #expect(pasted.value.floats[i] == source.floats[i]) }
        }
        let seed = randomTensor([2, 8, 8, 3], key: 7), before = seed.copy()
        try tape.backward(from: pasted, seed: seed)
        let gradient = try #require(x.takeGradient())
        for i in 0..<gradient.count { #expect(gradient.floats[i] == before.floats[i] * batch.masks.floats[i / 3]) }
    }
}
