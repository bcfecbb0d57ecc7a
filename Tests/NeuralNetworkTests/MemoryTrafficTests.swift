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
                // It makes the map that it reads.
                Row(.forward, "maxPool", count: 1, .init(read: 0, written: pooled + winners)),
                // Sums over the map and its gradient, both again for that of weights and image.
                Row(
                    .backward, "NormalizedConvolution", count: 1,
                    .init(read: 2 * map + 2 * map + image + weights, written: weights + image)),
                Row(.backward, "maxPool", count: 1, .init(read: pooled + winners, written: map)),
            ])
        #expect(traffic.total.sum == traffic.rows.reduce(0) { $0 + $1.bytes.sum })
    }

    /// What a convolution writes as it reads it comes from the cache, and so does the gradient whose moments it takes.
    @Test func layersOnEachOtherMoveLess() throws {
        let network = Network(), traffic = MemoryTraffic(), tape = Tape(), scope = Scope(network.state)
        let second = NormalizedConvolution(
            Convolution2D(scope.child("d"), inputs: 8, outputs: 8), BatchNormalization(scope.child("m"), channels: 8))
        network.state.allocateGradients()
        try traffic.watch {
            let pass = Pass(mode: .training, tape: tape, convolutions: Convolutions(.exact))
            let first = try network.layer(Variable(network.image), rectify: true, pass)
            let output = try second(first, residual: first, rectify: true, pass)
            let last = try second(output, pass)
            try tape.backward(from: last, seed: randomTensor(last.value.shape, key: 2))
        }
        let image = 512, map = 1024, weights = (128, 256)
        let forward = [
            (read: image + weights.0 + map, written: map + map),
            // With the residual.
            (read: weights.1 + 2 * map, written: map + map),
            (read: weights.1 + map, written: map + map),
        ]
        let backward = [
            // From the last one: its sums, its gradient, the input for the weights, and for the input's sums what is normalised.
            (read: 2 * map + 2 * map + map + weights.1 + map, written: weights.1 + map),
            // Its sums are there; what its input gets as a residual is added.
            (read: 2 * map + map + 2 * weights.1 + 2 * map, written: weights.1 + map + map),
            (read: 2 * map + 2 * map + image, written: weights.0),
        ]
        func row(_ stage: MemoryTraffic.Stage, _ parts: [(read: Int, written: Int)]) -> Row {
            Row(
                stage, "NormalizedConvolution", count: 3,
                .init(read: parts.reduce(0) { $0 + $1.read }, written: parts.reduce(0) { $0 + $1.written }))
        }
        #expect(traffic.rows == [row(.forward, forward), row(.backward, backward)])
    }

    /// A map for one reader alone is never written: its reader makes it from what is normalised, forward and backward.
    @Test func whatPassesIsNotWritten() throws {
        let network = Network(), traffic = MemoryTraffic(), tape = Tape(), scope = Scope(network.state)
        let second = NormalizedConvolution(
            Convolution2D(scope.child("d"), inputs: 8, outputs: 8), BatchNormalization(scope.child("m"), channels: 8))
        network.state.allocateGradients()
        func run(passes: Bool) throws -> [[Float]] {
            network.state.clearGradients()
            let pass = Pass(mode: .training, tape: tape, convolutions: Convolutions(.exact))
            let first = try network.layer(Variable(network.image), rectify: true, passes: passes, pass)
            let last = try second(first, pass)
            try tape.backward(from: last, seed: randomTensor(last.shape, key: 2))
            return [last.value.array] + network.state.parameters.map { $0.gradient!.array }
        }
        let passing = try traffic.watch { try run(passes: true) }
        #expect(try run(passes: false) == passing)
        let image = 512, map = 1024, weights = (128, 256)
        let forward = MemoryTraffic.Bytes(
            read: (image + weights.0) + (map + weights.1 + map), written: map + (map + map))
        // The last one's sums and gradient; the map of which its input is made; the first one's gradient and weights.
        let backward = MemoryTraffic.Bytes(
            read: 2 * map + 2 * map + map + weights.1 + (2 * map + image), written: weights.1 + map + weights.0)
        #expect(
            traffic.rows == [
                Row(.forward, "NormalizedConvolution", count: 2, forward),
                Row(.backward, "NormalizedConvolution", count: 2, backward),
            ])
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

    /// More than 4 MB of weights stay in no core's share of the cache: products read them once for all pixels, Winograd's
    /// transforms with every 140 tiles.
    @Test func largeWeightsCountWithEachSweep() {
        func bytes(_ work: () -> Void) -> MemoryTraffic.Bytes {
            let traffic = MemoryTraffic()
            traffic.watch {
                work()
                MemoryTraffic.current?.end("work", .forward)
            }
            return traffic.total
        }
        func check(_ engine: any ConvolutionEngine, _ g: ConvolutionGeometry, packBytes: Int, sweeps: Int) {
            let convolutions = Convolutions(EngineList(float32: [.init(engine)], bfloat16: []))
            let x = Tensor.zeros(g.inputShape), w = Tensor.zeros(g.weightShape), y = Tensor.zeros(g.outputShape)
            func forward() { convolutions.forward(g, input: x, weight: w, output: y) }
            func backward() {
                convolutions.backwardData(g, outputGradient: y, weight: w, inputGradient: x, accumulate: false)
            }
            #expect(packBytes > MemoryTraffic.cacheShare)
            let maps = (x.byteCount, y.byteCount), packs = sweeps * packBytes
            // The first makes the pack.
            #expect(bytes(forward) == .init(read: maps.0 + w.byteCount + packs, written: maps.1 + packBytes))
            #expect(bytes(forward) == .init(read: maps.0 + packs, written: maps.1))
            #expect(bytes(backward) == .init(read: maps.1 + w.byteCount + packs, written: maps.0 + packBytes))
        }
        let strided = ConvolutionGeometry(
            batch: 2, height: 14, width: 16, inputChannels: 352, outputChannels: 352, kernel: 3, stride: 2, padding: 1)
        check(ProductConvolution(), strided, packBytes: 4 * 9 * 352 * 352, sweeps: 1)
        let plain = ConvolutionGeometry(
            batch: 1, height: 24, width: 28, inputChannels: 288, outputChannels: 288, kernel: 3, padding: 1)
        check(WinogradConvolution(), plain, packBytes: 4 * 16 * (288 * 288 + 16), sweeps: 2)
    }
}
