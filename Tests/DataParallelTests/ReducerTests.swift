import DataParallel
import MessagePassing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// Reducers on simulated ranks, against plain sums.
@Suite struct ReducerTests {
    private static let shapes = [[4, 3, 3, 3], [4], [1], [100, 33], [5], [30, 30], [17]]

    private func parameters(_ name: String = "layer") -> [Parameter] {
        Self.shapes.enumerated().map { Parameter(name: "\(name)\($0).weight", value: .zeros($1)) }
    }

    /// What a rank contributes to a parameter in a pass; to the fifth nobody does, to the second only rank zero.
    private static func contribution(_ rank: Int, _ pass: Int, _ index: Int) -> [Float]? {
        guard index != 4, index != 1 || rank == 0 else { return nil }
        var generator = KeyedGenerator(UInt64(rank), UInt64(pass), UInt64(index))
        return (0..<shapes[index].reduce(1, *)).map { _ in Float(generator.uniform() - 0.5) }
    }

    /// Ranks complete gradients in different orders.
    private func backward(_ parameters: [Parameter], rank: Int, pass: Int, reducer: GradientReducer?) {
        for index in rank % 2 == 0 ? parameters.indices.reversed() : Array(parameters.indices) {
            guard let contribution = Self.contribution(rank, pass, index) else { continue }
            parameters[index].settleGradient()
            for (element, value) in contribution.enumerated() {
                parameters[index].gradient!.floats[element] += value
            }
            reducer?.markReady(parameters[index])
        }
    }

    private func sums(ranks: Int, passes: Range<Int>) -> [[Double]] {
        Self.shapes.enumerated().map { index, shape in
            var sums = [Double](repeating: 0, count: shape.reduce(1, *))
            for rank in 0..<ranks {
                for pass in passes {
                    let contribution = Self.contribution(rank, pass, index) ?? []
                    for (i, value) in contribution.enumerated() { sums[i] += Double(value) }
                }
            }
            return sums
        }
    }

    private typealias Reduced = (gradients: [[Float]], statistics: CommunicationStatistics, buckets: Int)

    private func reduced(
        _ ranks: SimulatedRanks, _ mode: GradientReducer.Mode, _ wire: GradientReducer.Wire
    ) throws -> [Reduced] {
        try ranks.run { world in
            let parameters = parameters()
            let reducer = try GradientReducer(
                parameters: parameters, communicator: world, mode: mode, wire: wire, firstBucketBytes: 64,
                bucketBytes: 4096)
            for step in 0..<2 {
                reducer.begin()
                backward(parameters, rank: world.rank, pass: 2 * step, reducer: nil)
                backward(parameters, rank: world.rank, pass: 2 * step + 1, reducer: reducer)
                try reducer.finish()
            }
            return (parameters.map { $0.gradient!.array }, reducer.statistics, reducer.buckets.count)
        }
    }

    @Test(arguments: 1...8, GradientReducer.Wire.allCases)
    func gradientsAreThePlainSums(count: Int, wire: GradientReducer.Wire) throws {
        let inline = try reduced(SimulatedRanks(count, seed: 1), .inline, wire)
        let overlapped = try reduced(SimulatedRanks(count, seed: 2), .overlapped, wire)
        // bfloat16: each rank's number of at most one is rounded to 8 bits, then the sum.
        let bound = wire == .float32 || count == 1 ? 1e-6 : Double(count) * (0x1p-9 + 0x1p-8)
        for (index, sums) in sums(ranks: count, passes: 2..<4).enumerated() {
            for (value, sum) in zip(inline[0].gradients[index], sums) { #expect(abs(Double(value) - sum) <= bound) }
        }
        for reduced in inline + overlapped {
            #expect(reduced.gradients == inline[0].gradients, "other bits than inline on rank 0")
            #expect(reduced.statistics.bytes == inline[0].statistics.bytes)
            let calls = count == 1 ? 0 : 2 * reduced.buckets * (wire == .bfloat16 ? 2 : 1)
            #expect(reduced.statistics.collectives == calls)
        }
        #expect(inline[0].statistics.exposedSeconds <= inline[0].statistics.seconds)
        #expect((inline[0].statistics.exposedSeconds > 0) == (count > 1))
    }

    /// Statistics are summed while gradients are under way, whatever the schedule.
    @Test(arguments: [2, 3]) func statisticsTravelBesideGradients(count: Int) throws {
        for seed in 0..<20 {
            let statistics = try SimulatedRanks(count, seed: UInt64(seed)).run { world in
                let parameters = parameters()
                let reducer = try GradientReducer(
                    parameters: parameters, communicator: world, mode: .overlapped, firstBucketBytes: 64,
                    bucketBytes: 64)
                let statistics = try SynchronizedStatistics(communicator: world)
                reducer.begin()
                for parameter in parameters.reversed() {
                    reducer.markReady(parameter)
                    var values = [Double(world.rank), 1]
                    try values.withUnsafeMutableBufferPointer { try statistics.sum($0) }
                    #expect(values == [Double(count * (count - 1) / 2), Double(count)])
                }
                try reducer.finish()
                return statistics.statistics
            }
            for statistics in statistics {
                #expect(statistics.collectives == Self.shapes.count && statistics.bytes == Self.shapes.count * 16)
            }
        }
    }

    /// Two modules in one backward pass: on odd ranks nothing reaches the first, so that its buckets are complete last.
    @Test(arguments: GradientReducer.Mode.allCases)
    func severalReducersShareOneOrder(mode: GradientReducer.Mode) throws {
        for seed in 0..<20 {
            try SimulatedRanks(3, seed: UInt64(seed)).run { world in
                let order = try BucketOrder(mode: mode, ranks: world.size)
                let modules = [parameters("head"), parameters("body")]
                let reducers = try modules.map {
                    try GradientReducer(
                        parameters: $0, communicator: world, mode: mode, order: order, firstBucketBytes: 64,
                        bucketBytes: 4096)
                }
                for step in 0..<3 {
                    for reducer in reducers { reducer.begin() }
                    if world.rank % 2 == 0 {
                        backward(modules[0], rank: world.rank, pass: step, reducer: reducers[0])
                    }
                    backward(modules[1], rank: world.rank, pass: step, reducer: reducers[1])
                    for reducer in reducers { try reducer.finish() }
                    for (index, sums) in sums(ranks: 3, passes: step..<step + 1).enumerated() {
                        for (value, sum) in zip(modules[1][index].gradient!.array, sums) {
                            #expect(abs(Double(value) - sum) <= 1e-6)
                        }
                    }
                }
                let all = try world.allGather(modules[0].flatMap { $0.gradient!.array })
                #expect(all.allSatisfy { $0 == all[0] } && all[0].contains { $0 != 0 })
                try world.barrier("giving the reducers up")
            }
        }
    }

    /// A sum that fails on its thread reaches `finish`.
    @Test(
        .disabled(if: SimulatedRanks.areFree, "ranks that run freely wait for ever"),
        arguments: GradientReducer.Mode.allCases)
    func aFailedSumIsThrownByFinish(mode: GradientReducer.Mode) throws {
        let ranks = SimulatedRanks(2)
        // Before it: the plan's hash, and a communicator of its own.
        ranks.fail(1, atOperation: 4, "the cable was cut")
        let outcomes = try ranks.outcomes { world in
            let parameters = parameters()
            let reducer = try GradientReducer(
                parameters: parameters, communicator: world, mode: mode, firstBucketBytes: 64, bucketBytes: 64)
            reducer.begin()
            for parameter in parameters { reducer.markReady(parameter) }
            do { try reducer.finish() } catch { return "\(error)" }
            return "nothing"
        }
        #expect(try outcomes[1].get().contains("gradients #2 ") && outcomes[1].get().hasSuffix(": the cable was cut"))
        #expect(try outcomes[0].get().hasPrefix("nobody can go on: rank 0 ("))
    }

    @Test func otherPlansAreFoundBeforeTheFirstStep() throws {
        let outcomes = try SimulatedRanks(3).outcomes { world in
            _ = try GradientReducer(
                parameters: Array(parameters().dropLast(world.rank == 1 ? 1 : 0)), communicator: world, mode: .inline)
        }
        for outcome in outcomes {
            let error = #expect(throws: ReplicaMismatchError.self) { try outcome.get() }
            #expect(
                error?.description.hasPrefix(
                    "ranks do not agree on the gradient buckets: rank 1 (host1) differs from the rest of 3;") == true)
        }
    }
}

@Suite struct ReplicaTests {
    private func tensors(_ rank: Int) -> [(name: String, tensor: Tensor)] {
        (0..<3).map { (name: "tensor\($0)", tensor: Tensor([101], (0..<101).map { Float($0 * (rank + 1)) })) }
    }

    /// After a broadcast ranks agree; one flipped bit is found on all, with its tensor and, of more than two, its rank.
    @Test(arguments: [2, 3, 5]) func aFlippedBitIsNamed(count: Int) throws {
        let outcomes = try SimulatedRanks(count).outcomes { world in
            let tensors = tensors(world.rank)
            try broadcastParameters(tensors.map(\.tensor), over: world)
            #expect(tensors[2].tensor.array[100] == 100)
            try verifyReplicasAgree(tensors, over: world)
            if world.rank == count - 1 {
                let element = tensors[1].tensor.pointer + 77
                element.pointee = Float(bitPattern: element.pointee.bitPattern ^ 1)
            }
            try verifyReplicasAgree(tensors, over: world)
        }
        let who =
            count == 2
            ? "ranks 0 (host0), 1 (host1) differ, and no value has a majority"
            : "rank \(count - 1) (host\(count - 1)) differs from the rest of \(count)"
        for outcome in outcomes {
            let error = #expect(throws: ReplicaMismatchError.self) { try outcome.get() }
            #expect(error?.description.hasPrefix("ranks do not agree on the values of tensor1: \(who);") == true)
        }
    }
}
