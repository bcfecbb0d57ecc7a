import TensorCore
import TestSupport
import Testing

/// Maps that are made where convolutions read them, and weights that are read once.
@Suite struct MadeMapTests {
    /// A gradient that is made chunk by chunk gives what it gives where it lies in memory as a whole, and so do the sums over
    /// the input's.
    @Test(arguments: ElementType.allCases, [1, 3]) func gradientsMadeInChunksAreThoseOfTheWhole(
        _ type: ElementType, _ kernel: Int
    ) {
        let g = ConvolutionGeometry(
            batch: 3, height: 48, width: 48, inputChannels: 64, outputChannels: 32, kernel: kernel,
            padding: kernel / 2)
        let x = randomTensor(g.inputShape, key: 1).cast(to: type), w = randomTensor(g.weightShape, key: 2)
        let dy = randomTensor(g.outputShape, key: 3).cast(to: type)
        let dx = randomTensor(g.inputShape, key: 4).cast(to: type), dw = randomTensor(g.weightShape, key: 5)
        let inner = randomTensor(g.inputShape, key: 6).cast(to: type)
        let output = randomTensor(g.inputShape, key: 7).cast(to: type)
        let made = (dx: dx.copy(), dw: dw.copy()), convolutions = Convolutions()
        convolutions.backwardWeights(g, input: x, outputGradient: dy, weightGradient: dw, accumulate: true)
        convolutions.backwardData(g, outputGradient: dy, weight: w, inputGradient: dx, accumulate: true)
        let moments = inner.gradientMoments(gradient: dx, rectifier: .ofOutput(output))

        let runs = Runs()
        let maker = MadeMap(columns: 32, bytesRead: dy.byteCount) { pixels, target in
            runs.pixels.append(pixels)
            target.copy(from: dy.matrix(columns: 32).rows(pixels))
        }
        let sums = convolutions.backward(
            g, outputGradient: ReadMap(type, madeBy: maker), input: ReadMap(x), weight: w,
            weightGradient: GradientTarget(made.dw, accumulates: true),
            inputGradient: GradientTarget(made.dx, accumulates: true),
            sums: GradientSums(momentsWith: inner, rectifier: .ofOutput(output)))!
        #expect(runs.pixels == [0..<2304, 2304..<4608, 4608..<6912])
        #expect(relativeError(made.dw, dw) < 1e-6)
        // Gated, as the moments leave it.
        #expect(relativeError(made.dx.cast(to: .float32), dx.cast(to: .float32)) < 1e-6)
        for i in 0..<128 { #expect(abs(sums[i] - moments[i]) < 1e-3) }
    }

    /// The input of a convolution may be written by it, or kept nowhere: each pixel is made once, before it is read.
    @Test func anInputIsMadeAsItIsRead() {
        let g = ConvolutionGeometry(
            batch: 3, height: 48, width: 48, inputChannels: 64, outputChannels: 32, kernel: 3, stride: 2, padding: 1)
        let x = randomTensor(g.inputShape, key: 1), w = randomTensor(g.weightShape, key: 2)
        let y = Tensor(g.outputShape), other = Tensor(g.outputShape), input = Tensor(g.inputShape)
        input.fill(.nan)
        let runs = Runs(), convolutions = Convolutions()
        convolutions.forward(g, input: x, weight: w, output: y)
        other.fill(0)
        let maker = MadeMap(columns: 64, bytesRead: 0) { pixels, target in
            runs.pixels.append(pixels)
            target.copy(from: x.matrix(columns: 64).rows(pixels))
        }
        for map in [ReadMap(input, madeBy: maker), ReadMap(.float32, madeBy: maker)] {
            _ = convolutions.forward(g, input: map, weight: w, output: other, gatherMoments: false)
            #expect(other.array == y.array)
            #expect(runs.pixels == [0..<2304, 2304..<4608, 4608..<6912])
            other.fill(0)
            runs.pixels = []
        }
        #expect(input.array == x.array)
        let pooled = ReadMap(.float32, madeBy: maker).maxPooled(x.shape, kernel: 3, stride: 2, padding: 1).output
        #expect(pooled.array == x.maxPooled(kernel: 3, stride: 2, padding: 1).output.array)
        #expect(runs.pixels == [0..<2304, 2304..<4608, 4608..<6912])
    }

    /// What was asked for, on the one thread that tests compute with.
    private final class Runs { var pixels: [Range<Int>] = [] }

    /// Weights that stay in no cache are read column by column for all pixels: the same numbers.
    @Test(arguments: ElementType.allCases, [1, 2]) func largeWeightsGiveTheSame(_ type: ElementType, _ stride: Int) {
        let g = ConvolutionGeometry(
            batch: 1, height: 9, width: 14, inputChannels: 2048, outputChannels: 1120, kernel: 1, stride: stride)
        let x = randomTensor(g.inputShape, key: 1).cast(to: type), w = randomTensor(g.weightShape, key: 2)
        #expect(w.count * type.byteCount > MemoryTraffic.cacheShare)
        let y = Tensor(g.outputShape, type), packs = WeightPacks()
        ProductConvolution().forward(g, input: x, weight: w, packs: packs, output: y)
        // Its last 64 outputs alone are no large weights.
        var few = g
        few.outputChannels = 64
        let part = Tensor(few.outputShape, type)
        ProductConvolution().forward(
            few, input: x, weight: w.rows(1056..<1120), packs: packs, output: part)
        let whole = y.cast(to: .float32).array, last = part.cast(to: .float32).array
        for pixel in 0..<last.count / 64 {
            let mine = Array(whole[pixel * 1120 + 1056..<(pixel + 1) * 1120])
            #expect(mine == Array(last[pixel * 64..<(pixel + 1) * 64]))
        }
    }

    /// The same back to the pixels of a strided 3×3 kernel, tap by tap.
    @Test(arguments: ElementType.allCases) func largeWeightsGiveTheSameGradient(_ type: ElementType) {
        let g = ConvolutionGeometry(
            batch: 1, height: 9, width: 10, inputChannels: 512, outputChannels: 512, kernel: 3, stride: 2, padding: 1)
        let dy = randomTensor(g.outputShape, key: 1).cast(to: type), w = randomTensor(g.weightShape, key: 2)
        #expect(w.count * type.byteCount > MemoryTraffic.cacheShare)
        let dx = Tensor(g.inputShape, type), expected = Tensor(g.inputShape), packs = WeightPacks()
        ProductConvolution().backwardData(
            g, outputGradient: dy, weight: w, packs: packs, inputGradient: dx, accumulate: false)
        // Weights as the kernels multiply them.
        MatrixConvolution(sums: .float64).backwardData(
            g, outputGradient: dy.cast(to: .float32), weight: w.cast(to: type).cast(to: .float32), packs: packs,
            inputGradient: expected, accumulate: false)
        #expect(relativeError(dx.cast(to: .float32), expected) < (type == .float32 ? 1e-6 : 3e-3))
    }
}
