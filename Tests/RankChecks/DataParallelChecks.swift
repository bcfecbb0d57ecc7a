import DataParallel
import Glibc
import MessagePassing
import NeuralNetwork
import TensorCore

let dataParallelChecks: [String: Check] = [
    "reducer": checkReducer,
    "halved": checkHalved,
    "accumulation": checkAccumulation,
    "statistics": checkStatistics,
    "interleaved-passes": checkInterleavedPasses,
    "replicas": checkReplicas,
    "other-plan": checkOtherPlan,
]

private func makeParameters() -> [Parameter] {
    let shapes = [[64, 7, 7, 3], [64], [1], [1000, 33], [5], [300, 300], [17], [2048, 64], [3]]
    return shapes.enumerated().map { Parameter(name: "layer\($0).weight", value: .zeros($1)) }
}

/// Writes this rank's contribution of one backward pass into the gradients, in an order of its own, leaving one out.
private func backward(_ parameters: [Parameter], rank: Int, pass: Int, reducer: GradientReducer?) {
    var order = Array(parameters.indices)
    order.removeAll { $0 == 4 }
    // Different ranks complete gradients in different orders.
    if rank % 2 == 0 { order.reverse() }
    for index in order {
        parameters[index].settleGradient()
        let gradient = parameters[index].gradient!
        var generator = KeyedGenerator(UInt64(rank), UInt64(pass), UInt64(index))
        for element in 0..<gradient.count {
            gradient.pointer[element] += Float(generator.uniform() - 0.5)
        }
        reducer?.markReady(parameters[index])
    }
}

private func run(
    _ communicator: any Collective, mode: GradientReducer.Mode, wire: GradientReducer.Wire = .float32, steps: Int = 3
) throws -> (gradients: [[UInt32]], statistics: CommunicationStatistics, buckets: Int) {
    let parameters = makeParameters()
    let reducer = try GradientReducer(
        parameters: parameters, communicator: communicator, mode: mode, wire: wire, firstBucketBytes: 1 << 12,
        bucketBytes: 1 << 18)
    for step in 0..<steps {
        reducer.begin()
        backward(parameters, rank: communicator.rank, pass: step, reducer: reducer)
        try reducer.finish()
    }
    return (
        parameters.map { $0.gradient!.array.map(\.bitPattern) }, reducer.statistics, reducer.buckets.count
    )
}

/// Inline and overlapped give the same bits, the same on all ranks, near the exact sums; an unused parameter is zero.
private func checkReducer(_ runtime: MPIRuntime, _: [String]) throws {
    let world = runtime.world
    let inline = try run(world, mode: .inline)
    let overlapped = try run(world, mode: .overlapped)
    try require(inline.gradients == overlapped.gradients, "inline and overlapped differ")
    let flat = inline.gradients.flatMap { $0 }
    let fromRoot = try world.broadcast(flat)
    try world.agree(on: "comparing gradients") { try require(flat == fromRoot, "other bits than rank 0") }
    try require(inline.gradients[4].allSatisfy { $0 == 0 }, "an unused parameter has a gradient")
    for index in [0, 3, 8] {
        var exact = [Double](repeating: 0, count: inline.gradients[index].count)
        for rank in 0..<world.size {
            var generator = KeyedGenerator(UInt64(rank), 2, UInt64(index))
            for element in exact.indices { exact[element] += Double(Float(generator.uniform() - 0.5)) }
        }
        for (bits, value) in zip(inline.gradients[index], exact) {
            try require(abs(Double(Float(bitPattern: bits)) - value) < 1e-6, "parameter \(index)")
        }
    }
    let collectives = world.size == 1 ? 0 : 3 * inline.buckets
    for statistics in [inline.statistics, overlapped.statistics] {
        try require(statistics.collectives == collectives, "\(statistics)")
        try require((statistics.seconds > 0) == (world.size > 1), "\(statistics)")
    }
    try require(inline.statistics.exposedSeconds <= inline.statistics.seconds, "\(inline.statistics)")
    try require(inline.statistics.bytes == overlapped.statistics.bytes, "bytes")
}

/// Three backward passes of which the last reports are the sum of the three.
private func checkAccumulation(_ runtime: MPIRuntime, _: [String]) throws {
    let parameters = makeParameters()
    let reducer = try GradientReducer(parameters: parameters, communicator: runtime.world, mode: .overlapped)
    reducer.begin()
    for pass in 0..<3 {
        backward(parameters, rank: runtime.world.rank, pass: pass, reducer: pass == 2 ? reducer : nil)
    }
    try reducer.finish()
    var exact = 0.0
    for rank in 0..<runtime.world.size {
        for pass in 0..<3 {
            var generator = KeyedGenerator(UInt64(rank), UInt64(pass), 3)
            exact += Double(Float(generator.uniform() - 0.5))
        }
    }
    try require(abs(Double(parameters[3].gradient!.array[0]) - exact) < 1e-6, "accumulated sum")
}

/// Statistics are summed while gradients are under way on another thread.
private func checkStatistics(_ runtime: MPIRuntime, _: [String]) throws {
    let world = runtime.world
    let parameters = makeParameters()
    let reducer = try GradientReducer(
        parameters: parameters, communicator: world, mode: .overlapped, firstBucketBytes: 64, bucketBytes: 64)
    let statistics = try SynchronizedStatistics(communicator: world)
    for step in 0..<5 {
        reducer.begin()
        for parameter in parameters.reversed() {
            reducer.markReady(parameter)
            var sums = [Double(world.rank), Double(step)]
            try sums.withUnsafeMutableBufferPointer { try statistics.sum($0) }
            try require(
                sums == [Double(world.size * (world.size - 1) / 2), Double(step * world.size)], "sums \(sums)")
        }
        try reducer.finish()
    }
    let expected = world.size == 1 ? 0 : 5 * parameters.count
    try require(statistics.statistics.collectives == expected, "\(statistics.statistics)")
    try require(statistics.statistics.bytes == expected * 16, "\(statistics.statistics)")
}

/// Passes take turns at their sums, which are those of all ranks whatever else is under way.
private func checkInterleavedPasses(_ runtime: MPIRuntime, _: [String]) throws {
    let world = runtime.world
    let statistics = try SynchronizedStatistics(communicator: world, interleavesPasses: true)
    try require(statistics.passes.isInterleaving == (world.size > 1), "\(world.size) ranks")
    var order: [Int] = []
    let lengths = [1, 9, 4097, 8193], ranks = Double(world.size)
    for _ in 0..<20 {
        order = []
        try statistics.passes.run(
            (0..<4).map { pass in
                { sums in
                    for (step, length) in lengths.enumerated() {
                        order.append(pass)
                        // What sums are summed beside: they get on between loops.
                        parallelFor(1) { _, _ in usleep(UInt32(200 * (world.rank + 1))) }
                        var values = (0..<length).map { Double($0 + pass + step + world.rank) }
                        try values.withUnsafeMutableBufferPointer { try sums.sum($0) }
                        let expected = (0..<length).map {
                            ranks * Double($0 + pass + step) + ranks * (ranks - 1) / 2
                        }
                        try require(values == expected, "pass \(pass), step \(step)")
                    }
                }
            }, alone: statistics)
    }
    let inTurn = (0..<4).flatMap { Array(repeating: $0, count: 4) }, interleaved = (0..<4).flatMap { _ in 0..<4 }
    try require(order == (world.size > 1 ? interleaved : inTurn), "order \(order)")
    try require(statistics.statistics.collectives == (world.size > 1 ? 320 : 0), "\(statistics.statistics)")
}

/// After a broadcast replicas agree; one flipped bit on one rank is found on all, with its rank and tensor.
private func checkReplicas(_ runtime: MPIRuntime, _: [String]) throws {
    let world = runtime.world
    let tensors = (0..<3).map { index in
        (name: "tensor\(index)", tensor: Tensor([1001], (0..<1001).map { Float($0 * (world.rank + 1)) }))
    }
    try broadcastParameters(tensors.map(\.tensor), over: world)
    try require(tensors[2].tensor.array[1000] == 1000, "not rank zero's values")
    try verifyReplicasAgree(tensors, over: world)
    guard world.size > 1 else { return }
    let culprit = world.size - 1
    if world.rank == culprit {
        let element = tensors[1].tensor.pointer + 777
        element.pointee = Float(bitPattern: element.pointee.bitPattern ^ 1)
    }
    do {
        try verifyReplicasAgree(tensors, over: world)
        try require(false, "a flipped bit was not noticed")
    } catch let error as ReplicaMismatchError {
        // Of two ranks nobody can tell which is right.
        let names = world.size == 2 ? "ranks 0 (" : "rank \(culprit) (\(runtime.hostName)) differs from the rest of "
        try require(error.description.contains("the values of tensor1: \(names)"), error.description)
    }
}

/// A rank with another model is found before the first step.
private func checkOtherPlan(_ runtime: MPIRuntime, _: [String]) throws {
    var parameters = makeParameters()
    if runtime.world.rank == 0 && runtime.world.size > 1 { parameters.removeLast() }
    do {
        _ = try GradientReducer(parameters: parameters, communicator: runtime.world, mode: .inline)
        try require(runtime.world.size == 1, "different plans were not noticed")
    } catch let error as ReplicaMismatchError {
        try require(error.description.contains("the gradient buckets"), error.description)
    }
}

/// bfloat16 messages give the same bits on all ranks and in both modes, within their rounding of float32's sums.
private func checkHalved(_ runtime: MPIRuntime, _: [String]) throws {
    let world = runtime.world
    let full = try run(world, mode: .inline)
    let inline = try run(world, mode: .inline, wire: .bfloat16)
    let overlapped = try run(world, mode: .overlapped, wire: .bfloat16)
    try require(inline.gradients == overlapped.gradients, "inline and overlapped differ")
    let flat = inline.gradients.flatMap { $0 }
    let fromRoot = try world.broadcast(flat)
    try world.agree(on: "comparing gradients") { try require(flat == fromRoot, "other bits than rank 0") }
    guard world.size > 1 else { return }
    for (halved, exact) in zip(inline.gradients, full.gradients) {
        for (a, b) in zip(halved, exact) {
            // Each rank's number of at most 1/2 is rounded to 8 bits, then the sum of at most size/2.
            let bound = Float(world.size) * (0x1p-10 + 0x1p-9)
            try require(abs(Float(bitPattern: a) - Float(bitPattern: b)) <= bound, "past the rounding")
        }
    }
    try require(Double(inline.statistics.bytes) < 0.8 * Double(full.statistics.bytes), "more bytes than expected")
}
