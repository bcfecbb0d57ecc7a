import DataParallel
import Glibc
import MessagePassing
import NeuralNetwork
import TensorCore

let begunCollectiveChecks: [String: Check] = [
    "begun-sums": checkBegunSums,
    "begun-parts": checkBegunParts,
    "travelling-buckets": checkTravellingBuckets,
    "checked-buckets": checkCheckedBuckets,
]

/// Sums that ranks look after, and sums that they only finish, have the exact value and the same bits on every rank.
private func checkBegunSums(_ runtime: MPIRuntime, _: [String]) throws {
    for communicator in [runtime.world, try runtime.world.duplicated(name: "small", elementsPerCall: 1000)] {
        let rank = communicator.rank, size = communicator.size
        for count in [0, 1, 5, 1000, 16_384, 70_001, 2_500_000]
        where count < 1_000_000 || communicator === runtime.world {
            // Whole numbers, and such as depend on the order of additions.
            let whole = (0..<count).map { Float($0 % 977) * Float(rank + 1) }
            let others = (0..<count).map { Float(($0 % 977) + 1) / Float(rank * 3 + 7) }
            // What is short is MPI's, all at the end.
            let travels = Communicator.goesAroundARing(bytes: 4 * count, ranks: size)
            let lookedAfter = try sum(whole, over: communicator) { if travels { lookAfter($0) } }
            let factor = Float(size * (size + 1) / 2)
            try require(
                lookedAfter.enumerated().allSatisfy { $1 == Float($0 % 977) * factor },
                "a sum of \(count) whole numbers")
            let finished = try sum(others, over: communicator) { _ in }
            // Ranks that are late by different times.
            let late = try sum(others, over: communicator) { sum in
                usleep(UInt32(1000 * rank))
                if travels { lookAfter(sum) }
            }
            try require(finished == late, "a sum of \(count) depends on when ranks have time")
            let bits = finished.reduce(UInt64(1)) { ($0 ^ UInt64($1.bitPattern)) &* 0x100_0000_01B3 }
            try require(
                try communicator.allGather([bits]).allSatisfy { $0 == [bits] },
                "\(count) floats have other bits elsewhere")
        }
    }
}

private func sum(
    _ values: [Float], over communicator: any Collective, meanwhile: (any BegunCollective) -> Void
) throws -> [Float] {
    var values = values
    try values.withUnsafeMutableBufferPointer {
        let sum = try communicator.beginSum($0)
        meanwhile(sum)
        try sum.finish()
    }
    return values
}

/// Until it is complete, without ever waiting in it.
private func lookAfter(_ collective: any BegunCollective) {
    while !collective.advance() { usleep(50) }
}

/// Parts that are exchanged and gathered arrive without anybody waiting for them.
private func checkBegunParts(_ runtime: MPIRuntime, _: [String]) throws {
    let world = runtime.world, rank = world.rank, size = world.size
    for count in [1, 1000, 300_000] {
        let sent = (0..<size).flatMap { Array(repeating: Int32(100 * rank + $0), count: count) }
        var received = [Int32](repeating: -1, count: size * count)
        try sent.withUnsafeBytes { sent in
            try received.withUnsafeMutableBytes {
                let exchange = try world.beginExchangeParts(sent, into: $0)
                lookAfter(exchange)
                try exchange.finish()
            }
        }
        try require(
            received == (0..<size).flatMap { Array(repeating: Int32(100 * $0 + rank), count: count) }, "an exchange")
        let part = [Int32](repeating: Int32(rank), count: count)
        try part.withUnsafeBytes { part in
            try received.withUnsafeMutableBytes {
                let gathering = try world.beginGatherParts(part, into: $0)
                lookAfter(gathering)
                try gathering.finish()
            }
        }
        try require(received == (0..<size).flatMap { Array(repeating: Int32($0), count: count) }, "a gathering")
    }
}

/// Buckets travel while their rank computes: all are there before the rank waits for any.
private func checkTravellingBuckets(_ runtime: MPIRuntime, _: [String]) throws {
    let world = runtime.world
    for wire in GradientReducer.Wire.allCases {
        let parameters = [100_000, 50_000, 1_300_001, 40_000].enumerated().map {
            Parameter(name: "layer\($0).weight", value: .zeros([$1]))
        }
        let order = try BucketOrder(mode: .inline, ranks: world.size)
        let reducer = try GradientReducer(
            parameters: parameters, communicator: world, mode: .inline, wire: wire, order: order,
            firstBucketBytes: 64, bucketBytes: 4096)
        reducer.begin()
        for parameter in parameters.reversed() {
            parameter.settleGradient()
            // Whole numbers that bfloat16 has, as it has their sums.
            for index in 0..<parameter.value.count {
                parameter.gradient!.pointer[index] = Float(index % 13 + world.rank)
            }
            reducer.markReady(parameter)
        }
        // The longest goes in three slices.
        let expected = wire == .float32 ? reducer.buckets.count : 2 * (reducer.buckets.count + 2)
        Meanwhile.lookingAfter(order.advance) {
            for _ in 0..<100_000 where reducer.statistics.collectives < expected {
                parallelFor(1) { _, _ in usleep(100) }
            }
        }
        try require(reducer.statistics.collectives == expected, "\(wire) buckets on their way: \(reducer.statistics)")
        try reducer.finish()
        for parameter in parameters {
            let ranks = world.size, sum = ranks * (ranks - 1) / 2
            let isSum = parameter.gradient!.array.enumerated().allSatisfy { $1 == Float($0 % 13 * ranks + sum) }
            try require(isSum, "\(wire), \(parameter.name)")
        }
        let statistics = reducer.statistics
        try require(0 < statistics.exposedSeconds && statistics.exposedSeconds <= statistics.seconds, "\(statistics)")
    }
}

/// With the order of calls checked, buckets and statistics of ranks that are late by different times do not wait for each
/// other.
private func checkCheckedBuckets(_ runtime: MPIRuntime, _: [String]) throws {
    try runtime.world.checkOrder()
    let world = runtime.world
    for wire in GradientReducer.Wire.allCases {
        let parameters = (0..<6).map { Parameter(name: "layer\($0).weight", value: .zeros([100_000])) }
        let order = try BucketOrder(mode: .inline, ranks: world.size)
        let reducer = try GradientReducer(
            parameters: parameters, communicator: world, mode: .inline, wire: wire, order: order,
            firstBucketBytes: 64, bucketBytes: 4096)
        let statistics = try SynchronizedStatistics(communicator: world)
        for step in 0..<3 {
            reducer.begin()
            try Meanwhile.lookingAfter(order.advance) {
                for (number, parameter) in parameters.reversed().enumerated() {
                    usleep(UInt32(2000 * ((number + world.rank + step) % 3)))
                    reducer.markReady(parameter)
                    parallelFor(1) { _, _ in usleep(200) }
                    var values = [Double(world.rank)]
                    try values.withUnsafeMutableBufferPointer { try statistics.sum($0) }
                }
            }
            try reducer.finish()
        }
    }
}
