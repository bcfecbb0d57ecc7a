import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// The account of bytes against counts by hand.
@Suite struct MemoryTrafficTests {
    /// A convolution with its normalisation, and a pooling: maps of 512, 1024 and 256 bytes, weights of 128.
    private struct Network {
        let state = ModelState(seed: 1)
        let layer: NormalizedConvolution
        let image = randomTensor([2, 4, 4, 4], key: 1)

        init() {
            let scope = Scope(state)
            layer = NormalizedConvolution(
                Convolution2D(scope.child("c"), inputs: 4, outputs: 8),
                BatchNormalization(scope.child("n"), channels: 8))
            state.allocateGradients()
        }

        func run(_ pass: Pass) throws -> (input: Variable, output: Variable) {
            let x = Variable(image, needsGradient: pass.tape != nil)
            return (x, maxPool(try layer(x, rectify: true, pass), kernel: 3, stride: 2, padding: 1, pass))
        }
    }

    private typealias Row = MemoryTraffic.Row

    @Test func aSmallNetworkMovesWhatIsCountedByHand() throws {
        let network = Network(), traffic = MemoryTraffic(), tape = Tape()
        try traffic.watch {
            let pass = Pass(mode: .training, tape: tape, convolutions: Convolutions(.exact))
            let output = try network.run(pass).output
            try tape.backward(from: output, seed: randomTensor(output.value.shape, key: 2))
        }
        let image = 512, map = 1024, pooled = 256, winners = 64, weights = 128
        #expect(
            traffic.rows == [
                // The convolution, then the normalisation.
                Row(
                    .forward, "NormalizedConvolution", count: 1,
                    .init(read: image + weights + map, written: map + map)),
                Row(.forward, "maxPool", count: 1, .init(read: map, written: pooled + winners)),
                // Sums over the map and its gradient, the gradient before the normalisation, those of weights and image.
                Row(
                    .backward, "NormalizedConvolution", count: 1,
                    .init(
                        read: 2 * map + 2 * map + (image + map) + (map + weights), written: map + weights + image)),
                Row(.backward, "maxPool", count: 1, .init(read: pooled + winners, written: map)),
            ])
        #expect(traffic.total.sum == traffic.rows.reduce(0) { $0 + $1.bytes.sum })
    }

    /// As momentum networks run, and without anybody who watches.
    @Test func aPassWithoutATapeIsOnesOwnStage() throws {
        let network = Network(), traffic = MemoryTraffic()
        func run() throws { _ = try network.run(Pass(mode: .training, convolutions: Convolutions(.exact))) }
        try traffic.watch(run)
        let rows = traffic.rows
        #expect(rows.map(\.stage) == [.forwardAlone, .forwardAlone])
        try run()
        #expect(traffic.rows == rows)
    }

    /// 5 MB of weights stay in no core's share of the cache: 112 pixels are two sweeps over them.
    @Test func largeWeightsCountWithEachSweep() {
        let geometry = ConvolutionGeometry(
            batch: 1, height: 8, width: 14, inputChannels: 1024, outputChannels: 1280, kernel: 1)
        let convolutions = Convolutions(EngineList(float32: [.init(ProductConvolution())], bfloat16: []))
        let x = Tensor.zeros(geometry.inputShape), w = Tensor.zeros(geometry.weightShape)
        let y = Tensor(geometry.outputShape)
        func bytes() -> MemoryTraffic.Bytes {
            let traffic = MemoryTraffic()
            traffic.watch {
                convolutions.forward(geometry, input: x, weight: w, output: y)
                MemoryTraffic.current?.end("forward", .forward)
            }
            return traffic.total
        }
        let maps = (x.byteCount, y.byteCount), weights = w.byteCount
        #expect(weights > MemoryTraffic.cacheShare)
        // The first makes the pack.
        #expect(bytes() == .init(read: maps.0 + weights + 2 * weights, written: maps.1 + weights))
        #expect(bytes() == .init(read: maps.0 + 2 * weights, written: maps.1))
    }
}
