import TensorCore
import TestSupport
import Testing

/// The plain twin of the convolution kernels: seven loops, double precision.
private struct PlainConvolution {
    let g: ConvolutionGeometry

    /// Calls `body(input index, weight index, output index)` for every product of the convolution.
    func forEachProduct(_ body: (Int, Int, Int) -> Void) {
        let groupIn = g.inputChannels / g.groups, groupOut = g.outputChannels / g.groups
        for n in 0..<g.batch {
            for oy in 0..<g.outputHeight {
                for ox in 0..<g.outputWidth {
                    for ky in 0..<g.kernel {
                        for kx in 0..<g.kernel {
                            let y = oy * g.stride - g.padding + ky * g.dilation
                            let x = ox * g.stride - g.padding + kx * g.dilation
                            guard y >= 0, y < g.height, x >= 0, x < g.width else { continue }
                            for o in 0..<g.outputChannels {
                                for i in 0..<groupIn {
                                    body(
                                        ((n * g.height + y) * g.width + x) * g.inputChannels + o / groupOut * groupIn + i,
                                        ((o * g.kernel + ky) * g.kernel + kx) * groupIn + i,
                                        ((n * g.outputHeight + oy) * g.outputWidth + ox) * g.outputChannels + o)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

private let geometries: [ConvolutionGeometry] = [
    .init(batch: 2, height: 7, width: 5, inputChannels: 8, outputChannels: 12, kernel: 1),
    .init(batch: 2, height: 8, width: 8, inputChannels: 8, outputChannels: 4, kernel: 1, stride: 2),
    .init(batch: 3, height: 9, width: 7, inputChannels: 5, outputChannels: 6, kernel: 3, padding: 1),
    .init(batch: 2, height: 9, width: 9, inputChannels: 4, outputChannels: 6, kernel: 3, stride: 2, padding: 1),
    .init(batch: 2, height: 17, width: 15, inputChannels: 3, outputChannels: 8, kernel: 7, stride: 2, padding: 3),
    .init(batch: 1, height: 9, width: 9, inputChannels: 4, outputChannels: 4, kernel: 3, padding: 2, dilation: 2),
    .init(batch: 2, height: 6, width: 6, inputChannels: 8, outputChannels: 12, kernel: 3, padding: 1, groups: 4),
    .init(batch: 2, height: 40, width: 40, inputChannels: 16, outputChannels: 8, kernel: 3, padding: 1),
    .init(batch: 1, height: 3, width: 3, inputChannels: 520, outputChannels: 4, kernel: 3, padding: 1),
]

@Suite struct ConvolutionTests {
    let engine = MatrixConvolution()

    @Test(arguments: geometries) func agreesWithItsPlainTwin(_ g: ConvolutionGeometry) {
        let x = randomTensor(g.inputShape, key: 1), w = randomTensor(g.weightShape, key: 2)
        let dy = randomTensor(g.outputShape, key: 3)
        var y = [Double](repeating: 0, count: dy.count), dx = [Double](repeating: 0, count: x.count)
        var dw = [Double](repeating: 0, count: w.count)
        PlainConvolution(g: g).forEachProduct { i, j, o in
            y[o] += Double(x.floats[i]) * Double(w.floats[j])
            dx[i] += Double(dy.floats[o]) * Double(w.floats[j])
            dw[j] += Double(dy.floats[o]) * Double(x.floats[i])
        }
        let output = Tensor(g.outputShape), inputGradient = Tensor(g.inputShape)
        engine.forward(g, input: x, weight: w, output: output)
        engine.backwardData(g, outputGradient: dy, weight: w, inputGradient: inputGradient)
        let start = randomTensor(g.weightShape, key: 4)
        let fresh = start.copy(), added = start.copy()
        engine.backwardWeights(g, input: x, outputGradient: dy, weightGradient: fresh, beta: 0)
        engine.backwardWeights(g, input: x, outputGradient: dy, weightGradient: added, beta: 1)
        #expect(relativeError(output.array, y.map(Float.init)) < 2e-6)
        #expect(relativeError(inputGradient.array, dx.map(Float.init)) < 2e-6)
        #expect(relativeError(fresh.array, dw.map(Float.init)) < 2e-6)
        #expect(relativeError(added.array, zip(dw, start.array).map { Float($0 + Double($1)) }) < 2e-6)
    }
}
