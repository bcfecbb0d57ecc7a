import Foundation
import TensorCore
import TestSupport
import Testing

/// The kernels of maps in both element types against plain twins in double precision.
@Suite struct MapKernelTests {
    /// What rounding a result to `type` costs at most, relatively.
    private func rounding(_ type: ElementType) -> Double { type == .float32 ? 1e-6 : 5e-3 }

    private func values(_ tensor: Tensor) -> [Float] { tensor.cast(to: .float32).array }

    @Test func bfloat16RoundsToNearestEven() {
        let cases: [(Float, Float)] = [
            (1, 1), (1 + 0x1p-8, 1), (1 + 3 * 0x1p-8, 1 + 0x1p-6), (1 + 0x1.01p-8, 1 + 0x1p-7),
            (-1 - 0x1.01p-8, -1 - 0x1p-7),
            (.infinity, .infinity), (0x1.fep127, 0x1.fep127), (.greatestFiniteMagnitude, .infinity), (0, 0),
        ]
        for (value, expected) in cases {
            // Alone and as one of eight: the scalar and the vector path.
            for count in [1, 8] {
                let rounded = Tensor([count], [Float](repeating: value, count: count)).cast(to: .bfloat16)
                for result in values(rounded) {
                    #expect(result == expected, "\(value) became \(result)")
                }
            }
        }
        for count in [1, 8] {
            let broken = Tensor([count], [Float](repeating: Float(bitPattern: 0x7FFF_FFFF), count: count))
            #expect(values(broken.cast(to: .bfloat16)).count { $0.isNaN } == count)
        }
    }

    @Test(arguments: ElementType.allCases, [19, 32]) func affineColumns(_ type: ElementType, _ channels: Int) {
        let x = randomTensor([37, channels], key: 1).cast(to: type),
            r = randomTensor([37, channels], key: 2).cast(to: type)
        let scale = randomTensor([channels], key: 3), shift = randomTensor([channels], key: 4)
        for (residual, rectify) in [(nil, false), (nil, true), (r, true)] as [(Tensor?, Bool)] {
            let y = Tensor(x.shape, type)
            x.affineColumns(scale: scale, shift: shift, residual: residual, rectify: rectify, into: y)
            let wide = values(x), added = residual.map { values($0) }
            let expected = wide.indices.map { i -> Float in
                let c = i % channels
                let sum = Double(wide[i]) * Double(scale.array[c]) + Double(shift.array[c]) + Double(added?[i] ?? 0)
                return Float(rectify ? max(sum, 0) : sum)
            }
            #expect(relativeError(values(y), expected) < rounding(type))
        }
    }

    @Test(arguments: ElementType.allCases, [19, 32]) func activations(_ type: ElementType, _ channels: Int) {
        let x = randomTensor([41, channels], key: 1).cast(to: type), dy = randomTensor(x.shape, key: 2).cast(to: type)
        let bias = randomTensor([channels], key: 3)
        for (activation, below) in [
            (.identity, { $0 }), (.rectifier, { _ in 0 }), (.exponentialLinear, { exp($0) - 1 }),
            (.leakyRectifier(slope: 0.2), { 0.2 * $0 }),
        ] as [(Activation, (Double) -> Double)] {
            let y = x.copy(), gradient = dy.copy()
            y.activate(activation, addingToRows: bias)
            let expected = values(x).enumerated().map { i, value -> Float in
                let sum = Double(value) + Double(bias.array[i % channels])
                return Float(sum > 0 ? sum : below(sum))
            }
            #expect(relativeError(values(y), expected) < rounding(type), "\(activation)")
            y.scaleBySlope(of: activation, gradient)
            let slopes = values(y).map { y -> Double in
                switch activation {
                case .exponentialLinear: y > 0 ? 1 : Double(y) + 1
                default: y > 0 || activation == .identity ? 1 : -below(-1)
                }
            }
            let scaled = zip(values(dy), slopes).map { Float(Double($0) * $1) }
            #expect(relativeError(values(gradient), scaled) < rounding(type), "\(activation)")
        }
    }

    @Test(arguments: ElementType.allCases, [8, 32]) func activationsLetNaNAndTheFarThrough(
        _ type: ElementType, _ channels: Int
    ) {
        let numbers: [Float] = [.nan, .infinity, -.infinity, -1000] + [Float](repeating: 1, count: channels - 4)
        for activation in [Activation.rectifier, .exponentialLinear] {
            let y = Tensor([1, channels], numbers).cast(to: type)
            y.activate(activation, addingToRows: .zeros([channels]))
            let floor: Float = activation == .rectifier ? 0 : -1
            #expect(values(y)[0].isNaN && Array(values(y)[1..<5]) == [.infinity, floor, floor, 1], "\(activation)")
        }
    }

    @Test(arguments: ElementType.allCases, [8, 32]) func rectifiedAffineLetsNaNThrough(
        _ type: ElementType, _ channels: Int
    ) {
        let one = Tensor([channels], [Float](repeating: 1, count: channels))
        let x = Tensor([1, channels], [.nan] + [Float](repeating: 1, count: channels - 1)).cast(to: type)
        let y = Tensor(x.shape, type)
        x.affineColumns(scale: one, shift: one, residual: nil, rectify: true, into: y)
        #expect(values(y)[0].isNaN && values(y)[1] == 2)
        // So that a map's NaN is seen in the gradient too.
        let sums = x.gradientMoments(gradient: y, rectifier: .ofAffine(scale: one, shift: one))
        #expect(sums[0].isNaN && sums[1] == 2)
    }

    @Test(arguments: ElementType.allCases, [19, 32])
    func normalizationGradient(_ type: ElementType, _ channels: Int) {
        let shape = [53, channels]
        let x = randomTensor(shape, key: 1).cast(to: type), dy = randomTensor(shape, key: 2).cast(to: type)
        let output = randomTensor(shape, key: 3).cast(to: type)
        let scale = randomTensor([channels], key: 4), shift = randomTensor([channels], key: 5)
        let b = randomTensor([channels], key: 6), c = randomTensor([channels], key: 7)
        let wideX = values(x), wideDY = values(dy), wideOutput = values(output)
        for (rectifier, gate) in [
            (.none, { _ in true }),
            (
                .ofAffine(scale: scale, shift: shift),
                { i in
                    Double(wideX[i]) * Double(scale.array[i % channels]) + Double(shift.array[i % channels]) > 0
                }
            ),
            (.ofOutput(output), { i in wideOutput[i] > 0 }),
        ] as [(NormalizationRectifier, (Int) -> Bool)] {
            let gated = wideDY.indices.map { gate($0) ? wideDY[$0] : 0 }
            let gradient = dy.copy()
            let moments = x.gradientMoments(gradient: gradient, rectifier: rectifier)
            for column in 0..<channels {
                let rows = stride(from: column, to: gated.count, by: channels)
                let sum = rows.reduce(0.0) { $0 + Double(gated[$1]) }
                let product = rows.reduce(0.0) { $0 + Double(gated[$1]) * Double(wideX[$1]) }
                #expect(abs(moments[column] - sum) < 1e-4 && abs(moments[channels + column] - product) < 1e-4)
            }
            let expected = gated.indices.map { i -> Float in
                let column = i % channels
                return scale.array[column] * gated[i] + b.array[column] * wideX[i] + c.array[column]
            }
            x.normalizationGradient(gradient: gradient, rectifier: rectifier, a: scale, b: b, c: c, into: gradient)
            #expect(relativeError(values(gradient), expected) < rounding(type))
        }
    }

    @Test(arguments: ElementType.allCases, [19, 32])
    func maximumPooling(_ type: ElementType, _ channels: Int) {
        let (h, w) = (9, 8), size = (h: 5, w: 4)
        let x = randomTensor([2, h, w, channels], key: 1).cast(to: type)
        let dy = randomTensor([2, size.h, size.w, channels], key: 2).cast(to: type)
        let (y, winners) = x.maxPooled(kernel: 3, stride: 2, padding: 1)
        let dx = dy.maxPooledGradient(winners: winners, inputShape: x.shape, kernel: 3, stride: 2, padding: 1)
        let wide = values(x), gradient = values(dy)
        var expected = [Float](repeating: -.infinity, count: dy.count),
            expectedGradient = [Float](repeating: 0, count: x.count)
        for n in 0..<2 {
            for oy in 0..<size.h {
                for ox in 0..<size.w {
                    for c in 0..<channels {
                        let at = ((n * size.h + oy) * size.w + ox) * channels + c
                        var winner = 0
                        for iy in max(2 * oy - 1, 0)...min(2 * oy + 1, h - 1) {
                            for ix in max(2 * ox - 1, 0)...min(2 * ox + 1, w - 1) {
                                let from = ((n * h + iy) * w + ix) * channels + c
                                if wide[from] > expected[at] { (expected[at], winner) = (wide[from], from) }
                            }
                        }
                        expectedGradient[winner] += gradient[at]
                    }
                }
            }
        }
        #expect(y.shape == dy.shape && values(y) == expected)
        #expect(relativeError(values(dx), expectedGradient) < rounding(type))
    }

    @Test(arguments: ElementType.allCases) func globalAverage(_ type: ElementType) {
        let x = randomTensor([2, 3, 2, 11], key: 1).cast(to: type)
        let wide = values(x)
        var expected = [Float](repeating: 0, count: 22)
        for (at, value) in wide.enumerated() { expected[at / 66 * 11 + at % 11] += value / 6 }
        #expect(relativeError(x.globallyAveraged().array, expected) < 1e-6)
        // Every pixel of a map has its share of the mean's gradient.
        let dy = randomTensor([2, 11], key: 2)
        let dx = dy.globallyAveragedGradient(inputShape: x.shape, type)
        #expect(dx.elementType == type && dx.shape == x.shape)
        let shares = wide.indices.map { at in dy.floats[at / 66 * 11 + at % 11] / 6 }
        #expect(relativeError(values(dx), shares) < rounding(type))
    }
}
