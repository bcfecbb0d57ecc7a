import TensorCore
import TestSupport
import Testing

@Suite struct EngineListTests {
    private let geometry = ConvolutionGeometry(
        batch: 2, height: 6, width: 5, inputChannels: 32, outputChannels: 32, kernel: 3, padding: 1)

    @Test func theFirstCandidateThatAcceptsComputes() {
        let list = EngineList(
            float32: [
                .init(WinogradConvolution(), "3×3 forward") { $0.kernel == 3 && $1 == .forward },
                .init(ProductConvolution(), "3×3") { geometry, _ in geometry.kernel == 3 },
                .init(MatrixConvolution()),
            ], bfloat16: [.init(MatrixConvolution())])
        var pointwise = geometry
        (pointwise.kernel, pointwise.padding) = (1, 0)
        #expect(list.engine(for: geometry, .forward, .float32) is WinogradConvolution)
        #expect(list.engine(for: geometry, .weights, .float32) is ProductConvolution)
        #expect(list.engine(for: pointwise, .forward, .float32) is MatrixConvolution)
        #expect(list.candidates(.bfloat16).map(\.rule) == ["all others"])
    }

    @Test(arguments: ElementType.allCases) func theFastestListTakesEveryConvolution(_ type: ElementType) {
        var narrow = geometry
        narrow.inputChannels = 5
        for geometry in [geometry, narrow] {
            for direction in ConvolutionDirection.allCases {
                #expect(!EngineList.fastest.engine(for: geometry, direction, type).name.isEmpty)
            }
        }
    }

    @Test(
        .enabled(if: ElementType.float32.vectorInstructions != nil, "needs a processor with AVX2 or AVX-512"),
        arguments: ConvolutionDirection.allCases)
    func vectorsComputeWhatFillsPanels(_ direction: ConvolutionDirection) {
        var strided = geometry, pointwise = geometry, first = geometry
        strided.stride = 2
        (pointwise.kernel, pointwise.padding) = (1, 0)
        first.inputChannels = 3
        func engine(_ geometry: ConvolutionGeometry) -> any ConvolutionEngine {
            EngineList.fastest.engine(for: geometry, direction, .float32)
        }
        #expect(engine(geometry) is WinogradConvolution)
        #expect(engine(strided) is ProductConvolution)
        #expect(!(engine(first) is ProductConvolution))
        if direction == .weights { #expect(engine(pointwise) is ProductConvolution) }
    }

    /// Tiles may stand over the edge for the most part, in one direction or in all.
    @Test(
        .enabled(if: ElementType.float32.vectorInstructions != nil, "needs a processor with AVX2 or AVX-512"),
        arguments: [
            (16, 2, 2, [.forward, .data, .weights]), (5, 4, 4, []), (96, 0, 16, [.forward, .weights]),
            (1, 1, 1, []), (3, 1, 1, [.forward, .data, .weights]),
        ] as [(Int, Int, Int, [ConvolutionDirection])])
    func smallMapsGoWhereTheySaveProducts(
        _ side: Int, _ padding: Int, _ dilation: Int, _ save: [ConvolutionDirection]
    ) {
        let geometry = ConvolutionGeometry(
            batch: 1, height: side, width: side, inputChannels: 32, outputChannels: 32, kernel: 3, padding: padding,
            dilation: dilation)
        let taken = ConvolutionDirection.allCases.filter {
            EngineList.fastest.engine(for: geometry, $0, .float32) is WinogradConvolution
        }
        #expect(taken == save)
    }

    @Test(arguments: ElementType.allCases) func weightsThatChangedArePackedAnew(_ type: ElementType) {
        let x = randomTensor(geometry.inputShape, key: 1).cast(to: type), w = randomTensor(geometry.weightShape, key: 2)
        let gradient = randomTensor(geometry.weightShape, key: 3), other = randomTensor(geometry.weightShape, key: 4)
        let velocity = Tensor.zeros(geometry.weightShape)
        let changes: [(String, () -> Void)] = [
            ("nothing", {}), ("a copy", { w.copy(from: other) }), ("a fill", { w.fill(0.5) }),
            ("an average", { w.moveTowards(other, momentum: 0.5) }),
            (
                "an update",
                {
                    gradient.momentumStep(
                        weight: w, velocity: velocity, decay: 0, scale: 1, momentum: 0, learningRate: 1)
                }
            ),
            (
                "a write to a view of it",
                {
                    w.rows(1..<2).floats[0] = 7
                    w.rows(1..<2).markChanged()
                }
            ),
        ]
        let kept = Convolutions()
        func output(_ convolutions: Convolutions) -> [Float] {
            let y = Tensor(geometry.outputShape, type)
            convolutions.forward(geometry, input: x, weight: w, output: y)
            return y.cast(to: .float32).array
        }
        for (name, change) in changes {
            change()
            #expect(output(kept) == output(Convolutions()), "after \(name)")
        }
    }

    /// What is gone leaves its memory to the next weights of its size, but not its packs.
    @Test func weightsThatAreGoneLeaveNoPacks() {
        let x = randomTensor(geometry.inputShape, key: 1)
        let kept = Convolutions()
        for key in 0..<4 as Range<UInt64> {
            let w = randomTensor(geometry.weightShape, key: 10 + key)
            let y = Tensor(geometry.outputShape), expected = Tensor(geometry.outputShape)
            kept.forward(geometry, input: x, weight: w, output: y)
            Convolutions().forward(geometry, input: x, weight: w, output: expected)
            #expect(y.array == expected.array)
        }
    }

    /// Of many pixels nothing stays; of few it does, and the results are the same.
    @Test(
        .enabled(if: ElementType.float32.vectorInstructions != nil, "needs an engine that packs weights"),
        arguments: [(16, false), (4, true)])
    func whatIsUsedOnceIsFreed(_ side: Int, _ stays: Bool) {
        var geometry = geometry
        (geometry.batch, geometry.height, geometry.width) = (5, side, side)
        let x = randomTensor(geometry.inputShape, key: 1), w = randomTensor(geometry.weightShape, key: 2)
        let kept = Convolutions(), once = Convolutions(packs: .oneUse)
        let maps = [kept, once].map { convolutions -> [Float] in
            let y = Tensor(geometry.outputShape), dx = Tensor(geometry.inputShape)
            convolutions.forward(geometry, input: x, weight: w, output: y)
            convolutions.backwardData(geometry, outputGradient: y, weight: w, inputGradient: dx, accumulate: false)
            return y.array + dx.array
        }
        #expect(maps[0] == maps[1])
        #expect(kept.packedBytes > 0 && once.packedBytes == (stays ? kept.packedBytes : 0))
    }
}
