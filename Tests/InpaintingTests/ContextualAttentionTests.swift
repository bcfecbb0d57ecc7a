import Inpainting
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

private let layers: [PatchAttention] = (0..<16).map { bits in
    PatchAttention(
        isCosine: bits & 1 != 0, propagatesScores: bits & 2 == 0, wraps: bits & 4 == 0, averagesByCount: bits & 8 != 0)
}

/// Masks [N, H, W] with holes at rectangles (top, left, bottom, right).
private func masks(_ height: Int, _ width: Int, _ holes: [(Int, Int, Int, Int)]) -> Tensor {
    let result = Tensor.zeros([holes.count, height, width])
    for (image, hole) in holes.enumerated() {
        for y in hole.0..<hole.2 {
            for x in hole.1..<hole.3 { result.floats[(image * height + y) * width + x] = 1 }
        }
    }
    return result
}

@Suite struct ContextualAttentionTests {
    private let published = ContextualAttention(InpaintingDialect.published.attention)

    private func run(
        _ layer: ContextualAttention, _ f: Tensor, _ b: Tensor, _ masks: Tensor
    ) -> (output: Tensor, map: ContextualAttention.Map) {
        let foreground = Variable(f), background = f === b ? foreground : Variable(b)
        let (output, map) = layer(
            foreground, background, masks: masks, .rectangle, wantsMap: true, Pass(mode: .evaluation))
        return (output.value, map!)
    }

    /// Values are those of the loops, gradients those of their finite differences, in all sixteen ways.
    @Test(arguments: Array(layers.enumerated())) func valuesAndGradientsAreThoseOfLoops(
        _ number: Int, _ layer: PatchAttention
    ) throws {
        let (own, other) = [([4, 6], [6, 4]), ([2, 8], [4, 4]), ([4, 4], [4, 6])][number % 3], channels = 2
        let f = randomTensor([2] + own + [channels], key: 1, scale: 0.6)
        let b = randomTensor([2] + other + [channels], key: 2, scale: 0.6)
        let holes = masks(other[0], other[1], [(0, 0, 2, 1), (2, 0, 4, 2)])
        let probe = randomTensor(f.shape, key: 3)
        let tape = Tape(), (x, y) = (Variable(f, needsGradient: true), Variable(b, needsGradient: true))
        let output = ContextualAttention(layer)(x, y, masks: holes, .rectangle, Pass(mode: .training, tape: tape))
            .output
        let value = output.value.array
        try tape.backward(from: output, seed: probe.copy())
        let df = try #require(x.takeGradient()).array, db = try #require(y.takeGradient()).array
        let valid = PatchValidity.bias(PatchValidity.reduced(holes, by: 2, .rectangle))
        var expected: [Float] = [], slopes: (f: [Float], b: [Float]) = ([], [])
        for image in 0..<2 {
            func numbers(_ tensor: Tensor) -> [Double] { tensor.rows(image..<image + 1).array.map(Double.init) }
            let twin = AttentionTwin(
                layer: layer, height: own[0], width: own[1], channels: channels, backgroundHeight: other[0],
                backgroundWidth: other[1], valid: valid.rows(image..<image + 1).array.map { $0 == 0 })
            let (f, b, r) = (numbers(f), numbers(b), numbers(probe))
            expected += twin.output(f, b).map { Float($0) }
            func total(_ f: [Double], _ b: [Double]) -> Double {
                zip(twin.output(f, b), r).reduce(0) { $0 + $1.0 * $1.1 }
            }
            func slope(_ numbers: [Double], _ total: ([Double]) -> Double) -> [Float] {
                numbers.indices.map { place in
                    var (up, down) = (numbers, numbers)
                    up[place] += 1e-5
                    down[place] -= 1e-5
                    return Float((total(up) - total(down)) / 2e-5)
                }
            }
            slopes.f += slope(f) { total($0, b) }
            slopes.b += slope(b) { total(f, $0) }
        }
        #expect(relativeError(value, expected) < 1e-5)
        #expect(relativeError(df, slopes.f) < 3e-4 && relativeError(db, slopes.b) < 3e-4)
    }

    @Test func aMapThatLooksAtItselfIsItself() {
        let x = randomTensor([1, 16, 12, 8], key: 4, scale: 6), none = Tensor.zeros([1, 16, 12])
        let count = ContextualAttention(
            PatchAttention(isCosine: false, propagatesScores: true, wraps: true, averagesByCount: true))
        let exact = run(count, x, x, none)
        #expect(relativeError(exact.output, x) < 1e-6)
        #expect((0..<48).allSatisfy { exact.map.offset(image: 0, row: $0 / 6, column: $0 % 6) == (0, 0) })
        // Divided by four, edges halve and corners quarter.
        let four = run(published, x, x, none).output
        func ratio(_ place: Int) -> Float { four.floats[place] / x.floats[place] }
        #expect(abs(ratio(5 * 8) - 0.5) < 1e-5 && abs(ratio(0) - 0.25) < 1e-5 && abs(ratio((12 + 5) * 8) - 1) < 1e-5)
    }

    @Test(arguments: InpaintingDialect.allCases) func aPictureWithoutAKnownPatchGetsZeros(_ dialect: InpaintingDialect)
        throws
    {
        let x = randomTensor([2, 16, 12, 4], key: 5)
        let holes = masks(16, 12, [(0, 0, 16, 12), (0, 0, 4, 4)]), layer = ContextualAttention(dialect.attention)
        let tape = Tape(), map = Variable(x, needsGradient: true)
        let (output, best) = layer(
            map, map, masks: holes, .rectangle, wantsMap: true, Pass(mode: .training, tape: tape))
        #expect(output.value.rows(0..<1).array.allSatisfy { $0 == 0 } && output.value.rows(1..<2).norm > 1)
        #expect(best!.offset(image: 0, row: 2, column: 3) == (0, 0))
        try tape.backward(from: output, seed: randomTensor(x.shape, key: 6))
        let gradient = try #require(map.takeGradient())
        #expect(gradient.isFinite && gradient.rows(0..<1).array.allSatisfy { $0 == 0 })
    }

    @Test func aHoleIsFilledFromWhereItRecurs() {
        let x = randomTensor([1, 32, 32, 8], key: 7, scale: 4)
        func at(_ y: Int, _ x: Int) -> Int { (y * 32 + x) * 8 }
        for y in 4..<14 {
            for column in 4..<14 {
                for c in 0..<8 { x.floats[at(y, column) + c] = x.floats[at(y + 14, column + 14) + c] }
            }
        }
        let found = run(published, x, x, masks(32, 32, [(6, 6, 12, 12)]))
        for y in 3..<6 {
            for column in 3..<6 { #expect(found.map.offset(image: 0, row: y, column: column) == (7, 7)) }
        }
        for y in 7..<11 {
            for column in 7..<11 { #expect(abs(found.output.floats[at(y, column)] - x.floats[at(y, column)]) < 1e-5) }
        }
    }

    /// A hole of one pixel is lost where only the first pixel of each cell counts, and found where the largest does.
    @Test func aHoleSmallerThanAPatchIsDefined() {
        let hole = masks(16, 16, [(5, 7, 6, 8)])
        func invalid(_ form: HoleForm) -> Int {
            PatchValidity.bias(PatchValidity.reduced(hole, by: 2, form)).array.count { $0 < 0 }
        }
        #expect(invalid(.rectangle) == 0 && invalid(.free) == 9)
    }

    @Test func weightsOfFarPatchesAreZeroRatherThanDenormal() {
        let x = randomTensor([1, 16, 16, 8], key: 8, scale: 3)
        let valid = Tensor.zeros([1, 64])
        let weights = InpaintingDialect.published.attention.matrix(
            .attention, foreground: x, background: x, valid: valid)
        #expect(weights.array.contains(0) && weights.array.allSatisfy { $0 == 0 || $0 > 1e-21 })
        for row in 0..<64 { #expect(abs(weights.array[row * 64..<(row + 1) * 64].reduce(0, +) - 1) < 1e-5) }
    }

    @Test func bfloat16MapsAreComparedInFloat32() throws {
        let x = randomTensor([2, 8, 12, 8], key: 9), holes = masks(8, 12, [(2, 2, 6, 6), (0, 0, 4, 8)])
        func gradients(_ type: ElementType) throws -> (Tensor, Tensor) {
            let tape = Tape(), map = Variable(x.cast(to: .bfloat16).cast(to: type), needsGradient: true)
            let output = published(map, map, masks: holes, .rectangle, Pass(mode: .training, tape: tape)).output
            #expect(output.value.elementType == type)
            let probe = randomTensor(x.shape, key: 10).cast(to: .bfloat16).cast(to: type)
            let value = output.value.cast(to: .float32)
            try tape.backward(from: output, seed: probe)
            return (value, try #require(map.takeGradient()).cast(to: .float32))
        }
        let rounded = try gradients(.bfloat16), exact = try gradients(.float32)
        #expect(relativeError(rounded.0, exact.0) < 4e-3 && relativeError(rounded.1, exact.1) < 6e-3)
    }
}
