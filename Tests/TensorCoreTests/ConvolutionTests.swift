import TensorCore
import TestSupport
import Testing

/// The plain twin of the convolution kernels: seven loops, double precision.
private struct PlainConvolution {
    let g: ConvolutionGeometry

    /// Calls `body(input index, weight index, output index)` for every product of the convolution.
    func forEachProduct(_ body: (Int, Int, Int) -> Void) {
        for n in 0..<g.batch {
            for oy in 0..<g.outputHeight {
                for ox in 0..<g.outputWidth {
                    for ky in 0..<g.kernel {
                        for kx in 0..<g.kernel {
                            let y = oy * g.stride - g.padding + ky * g.dilation
                            let x = ox * g.stride - g.padding + kx * g.dilation
                            guard y >= 0, y < g.height, x >= 0, x < g.width else { continue }
                            for o in 0..<g.outputChannels {
                                for i in 0..<g.inputChannels {
                                    body(
                                        ((n * g.height + y) * g.width + x) * g.inputChannels + i,
                                        ((o * g.kernel + ky) * g.kernel + kx) * g.inputChannels + i,
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
    .init(batch: 2, height: 40, width: 40, inputChannels: 16, outputChannels: 8, kernel: 3, padding: 1),
    .init(batch: 1, height: 3, width: 3, inputChannels: 520, outputChannels: 4, kernel: 3, padding: 1),
]

/// 3×3 convolutions with odd and even sides, in one block of tiles and in several, with full and half panels, and with
/// inputs that are taken in turns.
private let winogradGeometries: [ConvolutionGeometry] = [
    (2, 8, 6, 32, 64), (1, 7, 5, 64, 32), (3, 1, 1, 32, 32), (1, 1, 4, 96, 32), (2, 31, 17, 32, 32),
    (2, 11, 11, 160, 32), (1, 5, 7, 32, 160), (1, 31, 36, 160, 32),
].map { batch, height, width, inputs, outputs in
    .init(
        batch: batch, height: height, width: width, inputChannels: inputs, outputChannels: outputs, kernel: 3,
        padding: 1)
}

/// Those of dilated kernels, on sides that are multiples of the dilation and others, on maps smaller than it, and of other
/// borders.
private let spreadWinogradGeometries: [ConvolutionGeometry] = [
    .init(batch: 2, height: 16, width: 8, inputChannels: 32, outputChannels: 64, kernel: 3, padding: 2, dilation: 2),
    .init(batch: 1, height: 19, width: 33, inputChannels: 32, outputChannels: 32, kernel: 3, padding: 6, dilation: 6),
    .init(batch: 2, height: 5, width: 3, inputChannels: 64, outputChannels: 32, kernel: 3, padding: 4, dilation: 4),
    .init(batch: 2, height: 40, width: 6, inputChannels: 32, outputChannels: 32, kernel: 3, padding: 16, dilation: 16),
    .init(batch: 2, height: 10, width: 7, inputChannels: 32, outputChannels: 64, kernel: 3),
    .init(batch: 1, height: 21, width: 23, inputChannels: 32, outputChannels: 32, kernel: 3, dilation: 4),
    .init(batch: 2, height: 9, width: 6, inputChannels: 64, outputChannels: 32, kernel: 3, padding: 1, paddingAfter: 0),
    .init(batch: 1, height: 12, width: 9, inputChannels: 32, outputChannels: 32, kernel: 3, padding: 7, dilation: 5),
]

/// In one run of rows and in several, with rows that are moved, and with patches.
private let productGeometries: [ConvolutionGeometry] = [
    .init(batch: 1, height: 1, width: 1, inputChannels: 32, outputChannels: 32, kernel: 1),
    .init(batch: 3, height: 13, width: 11, inputChannels: 64, outputChannels: 96, kernel: 1),
    .init(batch: 1, height: 5, width: 3, inputChannels: 1024, outputChannels: 32, kernel: 1),
    .init(batch: 1, height: 5, width: 3, inputChannels: 32, outputChannels: 1024, kernel: 1),
    .init(batch: 2, height: 9, width: 7, inputChannels: 32, outputChannels: 64, kernel: 1, stride: 2),
    .init(batch: 2, height: 15, width: 12, inputChannels: 64, outputChannels: 32, kernel: 3, stride: 2, padding: 1),
    .init(batch: 1, height: 9, width: 9, inputChannels: 32, outputChannels: 32, kernel: 3, padding: 2, dilation: 2),
]

/// With odd and even sides, strides that leave pixels out, kernels that reach over edges, rows that fill no tile, and more
/// pixels than gradients of weights sum at once.
private let tileGeometries: [ConvolutionGeometry] = [
    .init(batch: 1, height: 1, width: 1, inputChannels: 32, outputChannels: 32, kernel: 1),
    .init(batch: 3, height: 5, width: 7, inputChannels: 96, outputChannels: 64, kernel: 1),
    .init(batch: 2, height: 23, width: 25, inputChannels: 32, outputChannels: 32, kernel: 1),
    .init(batch: 3, height: 9, width: 6, inputChannels: 32, outputChannels: 64, kernel: 1, stride: 2),
    .init(batch: 2, height: 4, width: 5, inputChannels: 32, outputChannels: 32, kernel: 1, padding: 1),
    .init(batch: 3, height: 7, width: 7, inputChannels: 64, outputChannels: 32, kernel: 3, padding: 1),
    .init(batch: 2, height: 13, width: 4, inputChannels: 32, outputChannels: 64, kernel: 3),
    .init(batch: 1, height: 31, width: 35, inputChannels: 32, outputChannels: 32, kernel: 3, padding: 1),
    .init(batch: 3, height: 8, width: 11, inputChannels: 32, outputChannels: 32, kernel: 3, stride: 2, padding: 1),
    .init(batch: 2, height: 10, width: 7, inputChannels: 32, outputChannels: 32, kernel: 3, stride: 3, padding: 1),
    .init(batch: 2, height: 9, width: 8, inputChannels: 32, outputChannels: 32, kernel: 3, padding: 2, dilation: 2),
    .init(batch: 1, height: 11, width: 9, inputChannels: 32, outputChannels: 32, kernel: 3, padding: 7, dilation: 5),
    .init(batch: 2, height: 12, width: 9, inputChannels: 32, outputChannels: 32, kernel: 5, stride: 2, padding: 2),
    .init(
        batch: 1, height: 9, width: 9, inputChannels: 32, outputChannels: 32, kernel: 3, stride: 2, padding: 2,
        dilation: 2),
    .init(batch: 2, height: 6, width: 6, inputChannels: 32, outputChannels: 32, kernel: 2, stride: 2),
]

/// Of few channels, for which no gradient for the pixels is wanted.
private let firstLayerGeometries: [ConvolutionGeometry] = [
    .init(batch: 2, height: 17, width: 15, inputChannels: 3, outputChannels: 64, kernel: 7, stride: 2, padding: 3),
    .init(batch: 3, height: 8, width: 10, inputChannels: 4, outputChannels: 32, kernel: 3, padding: 1),
    .init(batch: 1, height: 9, width: 6, inputChannels: 5, outputChannels: 32, kernel: 5, stride: 2, padding: 2),
    .init(batch: 2, height: 9, width: 10, inputChannels: 1, outputChannels: 32, kernel: 3, stride: 3),
]

/// Without those in which oneDNN writes past its memory; see `anUnsoundShapeIsNotGivenToOneDNN`.
private let soundGeometries = geometries.filter(EngineList.isSoundInOneDNN)

/// An engine, the maps it takes, and the error that the rounding of these maps allows.
private struct EngineCase: Sendable, CustomStringConvertible {
    let engine: any ConvolutionEngine
    let type: ElementType
    var tolerance: Double { type == .float32 ? 2e-6 : 6e-3 }
    /// The error of the weights' gradient, whose sums are float32 everywhere.
    var weightTolerance: Double { type == .bfloat16 && engine is WinogradConvolution ? 6e-3 : 2e-6 }
    var description: String { "\(engine.name), \(type)" }

    static let matrixLibrary = [
        EngineCase(engine: MatrixConvolution(), type: .float32),
        EngineCase(engine: MatrixConvolution(sums: .float64), type: .float32),
        EngineCase(engine: WideningConvolution(MatrixConvolution()), type: .bfloat16),
    ]
}

/// What tests of one engine alone need; where it is missing that engine is never chosen, and its tests are skipped.
private enum Needs {
    static let hasOneDNN = EngineList.oneDNN != nil
    static let oneDNN: Comment = "built without oneDNN"
    static let hasOneDNNInBFloat16 = hasOneDNN && Processor.has(["avx512bw"])
    static let oneDNNInBFloat16: Comment = "needs oneDNN and a processor with AVX-512 for bytes and words"
    static let hasTiles = TileConvolution.unit != nil
    static let tiles: Comment = "needs a processor with AMX"
}

@Suite struct ConvolutionTests {
    @Test(arguments: EngineCase.matrixLibrary, geometries)
    fileprivate func theMatrixLibraryAgrees(_ test: EngineCase, _ g: ConvolutionGeometry) {
        expectItsPlainTwin(test, g)
    }

    @Test(.enabled(if: Needs.hasOneDNN, Needs.oneDNN), arguments: [ElementType.float32, .bfloat16], soundGeometries)
    func oneDNNAgreesInFloat32AndOnWidenedMaps(_ type: ElementType, _ g: ConvolutionGeometry) throws {
        let oneDNN = try #require(EngineList.oneDNN)
        expectItsPlainTwin(
            EngineCase(engine: type == .float32 ? oneDNN : WideningConvolution(oneDNN), type: type), g)
    }

    @Test func anUnsoundShapeIsNotGivenToOneDNN() {
        let strided = ConvolutionGeometry(
            batch: 4, height: 16, width: 16, inputChannels: 4, outputChannels: 8, kernel: 1, stride: 2)
        #expect(!EngineList.isSoundInOneDNN(strided))
        for type in [ElementType.float32, .bfloat16] {
            for direction in ConvolutionDirection.allCases {
                let engine = EngineList.fastest.engine(for: strided, direction, type)
                #expect(!engine.name.contains("oneDNN"), "\(direction) in \(type)")
            }
        }
    }

    @Test(.enabled(if: Needs.hasOneDNNInBFloat16, Needs.oneDNNInBFloat16), arguments: soundGeometries)
    func oneDNNAgreesInBFloat16(_ g: ConvolutionGeometry) throws {
        expectItsPlainTwin(EngineCase(engine: try #require(EngineList.oneDNN), type: .bfloat16), g)
    }

    /// On the processor's kernels or on the portable ones.
    @Test(arguments: ElementType.allCases, winogradGeometries + spreadWinogradGeometries)
    func winogradAgrees(_ type: ElementType, _ g: ConvolutionGeometry) {
        #expect(WinogradConvolution.computes(g))
        expectItsPlainTwin(EngineCase(engine: WinogradConvolution(), type: type), g)
    }

    @Test(arguments: ElementType.allCases, productGeometries)
    func productsAgree(_ type: ElementType, _ g: ConvolutionGeometry) {
        #expect(ProductConvolution.computes(g))
        expectItsPlainTwin(EngineCase(engine: ProductConvolution(), type: type), g)
    }

    @Test(arguments: tileGeometries) func modelledTilesAgree(_ g: ConvolutionGeometry) {
        #expect(ConvolutionDirection.allCases.allSatisfy { TileConvolution.computes(g, $0) })
        expectItsPlainTwin(EngineCase(engine: TileConvolution.model, type: .bfloat16), g)
    }

    @Test(arguments: firstLayerGeometries) func modelledTilesAgreeInFirstLayers(_ g: ConvolutionGeometry) {
        #expect(TileConvolution.computes(g, .forward) && !TileConvolution.computes(g, .data))
        expectItsPlainTwin(EngineCase(engine: TileConvolution.model, type: .bfloat16), g, wantsData: false)
    }

    /// So that what the model shows on any machine holds for the unit.
    @Test(.enabled(if: Needs.hasTiles, Needs.tiles), arguments: tileGeometries + firstLayerGeometries)
    func theUnitAgreesWithItsModelBitForBit(_ g: ConvolutionGeometry) throws {
        let unit = try #require(TileConvolution.unit)
        // Powers of two down to those that no float32 holds, so that sums round, cancel, and come to nothing.
        let x = numbersOfAllSizes(g.inputShape, key: 1), dy = numbersOfAllSizes(g.outputShape, key: 2)
        let w = numbersOfAllSizes(g.weightShape, key: 3).cast(to: .float32)
        func results(_ engine: TileConvolution) -> [[Float]] {
            let y = Tensor(g.outputShape, .bfloat16), dw = w.copy(), packs = WeightPacks()
            engine.forward(g, input: x, weight: w, packs: packs, output: y)
            engine.backwardWeights(g, input: x, outputGradient: dy, weightGradient: dw, accumulate: true)
            var all = [y.cast(to: .float32).array, dw.array]
            guard TileConvolution.computes(g, .data) else { return all }
            for accumulate in [false, true] {
                let dx = x.copy()
                engine.backwardData(
                    g, outputGradient: dy, weight: w, packs: packs, inputGradient: dx, accumulate: accumulate)
                all.append(dx.cast(to: .float32).array)
            }
            return all
        }
        #expect(results(unit).map { $0.map(\.bitPattern) } == results(.model).map { $0.map(\.bitPattern) })
    }

    private func numbersOfAllSizes(_ shape: [Int], key: UInt64) -> Tensor {
        var generator = KeyedGenerator(key)
        let values = (0..<shape.reduce(1, *)).map { _ in
            Float(generator.normal()) * Float(sign: .plus, exponent: Int(generator.uniform(-70, 8)), significand: 1)
        }
        return Tensor(shape, values).cast(to: .bfloat16)
    }

    private func expectItsPlainTwin(_ test: EngineCase, _ g: ConvolutionGeometry, wantsData: Bool = true) {
        // The twin gets the maps as they were rounded; weights are rounded by engines that compute in bfloat16.
        let x = randomTensor(g.inputShape, key: 1).cast(to: test.type), w = randomTensor(g.weightShape, key: 2)
        let dy = randomTensor(g.outputShape, key: 3).cast(to: test.type)
        var y = [Double](repeating: 0, count: dy.count), dx = [Double](repeating: 0, count: x.count)
        var dw = [Double](repeating: 0, count: w.count)
        let wideX = x.cast(to: .float32).array, wideDY = dy.cast(to: .float32).array, wideW = w.array
        PlainConvolution(g: g).forEachProduct { i, j, o in
            y[o] += Double(wideX[i]) * Double(wideW[j])
            dx[i] += Double(wideDY[o]) * Double(wideW[j])
            dw[j] += Double(wideDY[o]) * Double(wideX[i])
        }
        let engine = test.engine, packs = WeightPacks()
        let output = Tensor(g.outputShape, test.type)
        engine.forward(g, input: x, weight: w, packs: packs, output: output)
        #expect(relativeError(output.cast(to: .float32).array, y.map(Float.init)) < test.tolerance)

        if wantsData {
            let inputGradient = Tensor(g.inputShape, test.type), sum = x.copy()
            engine.backwardData(
                g, outputGradient: dy, weight: w, packs: packs, inputGradient: inputGradient, accumulate: false)
            engine.backwardData(g, outputGradient: dy, weight: w, packs: packs, inputGradient: sum, accumulate: true)
            #expect(relativeError(inputGradient.cast(to: .float32).array, dx.map(Float.init)) < test.tolerance)
            let expectedSum = zip(dx, wideX).map { Float($0 + Double($1)) }
            #expect(relativeError(sum.cast(to: .float32).array, expectedSum) < test.tolerance)
        }

        let start = randomTensor(g.weightShape, key: 4)
        let fresh = start.copy(), added = start.copy()
        engine.backwardWeights(g, input: x, outputGradient: dy, weightGradient: fresh, accumulate: false)
        engine.backwardWeights(g, input: x, outputGradient: dy, weightGradient: added, accumulate: true)
        #expect(relativeError(fresh.array, dw.map(Float.init)) < test.weightTolerance)
        let expectedGradient = zip(dw, start.array).map { Float($0 + Double($1)) }
        #expect(relativeError(added.array, expectedGradient) < test.weightTolerance)
    }

    /// Batches are split over threads and into chunks; the parts make the whole, whatever the rest.
    @Test(arguments: ElementType.allCases) func partsMakeTheWhole(_ type: ElementType) {
        let g = ConvolutionGeometry(
            batch: 7, height: 14, width: 14, inputChannels: 24, outputChannels: 40, kernel: 3, padding: 1)
        let x = randomTensor(g.inputShape, key: 1).cast(to: type), w = randomTensor(g.weightShape, key: 2)
        let y = Tensor(g.outputShape, type)
        let convolutions = Convolutions()
        let moments = convolutions.forward(g, input: x, weight: w, output: y, gatherMoments: true)!
        let wide = y.cast(to: .float32).array
        for c in 0..<40 {
            let column = stride(from: c, to: wide.count, by: 40).map { Double(wide[$0]) }
            #expect(abs(moments[c] - column.reduce(0, +)) < 2e-3)
            #expect(abs(moments[40 + c] / column.reduce(0) { $0 + $1 * $1 } - 1) < 1e-6)
        }
        let gradient = Tensor(g.weightShape), parts = Tensor.zeros(g.weightShape)
        convolutions.backwardWeights(g, input: x, outputGradient: y, weightGradient: gradient, accumulate: false)
        for image in 0..<g.batch {
            let part = Tensor(g.withBatch(1).outputShape, type)
            convolutions.forward(
                g.withBatch(1), input: x.rows(image..<image + 1), weight: w, output: part, gatherMoments: false)
            #expect(relativeError(part.cast(to: .float32), y.rows(image..<image + 1).cast(to: .float32)) < 2e-6)
            convolutions.backwardWeights(
                g.withBatch(1), input: x.rows(image..<image + 1), outputGradient: y.rows(image..<image + 1),
                weightGradient: parts, accumulate: true)
        }
        #expect(relativeError(gradient, parts) < 2e-6)
    }
}
