import MessagePassing
import Threads

let messagePassingChecks: [String: Check] = [
    "reductions": checkReductions,
    "exchange": checkExchange,
    "swaps": checkSwaps,
    "agree": checkAgree,
    "agreed-failure": { runtime, _ in
        // Only the last rank cannot read its folder; everyone must end with one message from rank zero.
        try runtime.world.agree(on: "reading the image folders") {
            if runtime.world.rank == runtime.world.size - 1 { throw CheckFailure("/data/images: permission denied") }
        }
    },
    "throw": { runtime, _ in
        if runtime.world.rank == runtime.world.size - 1 { throw CheckFailure("the disk caught fire") }
        try runtime.world.barrier("leaving the check")
    },
    "truncated": { runtime, _ in
        var bytes = [UInt8](repeating: 0, count: runtime.world.isRoot ? 4000 : 2000)
        try bytes.withUnsafeMutableBytes { try runtime.world.broadcast($0) }
        try runtime.world.barrier("leaving the check")
    },
    "trap": { runtime, _ in
        if runtime.world.rank == runtime.world.size - 1 { preconditionFailure("shapes do not match") }
        try runtime.world.barrier("leaving the check")
    },
    "two-threads": checkTwoThreads,
]

/// Sums and extrema, in one call and in many, have the right value and the same bits on every rank.
private func checkReductions(_ runtime: MPIRuntime, _: [String]) throws {
    for communicator in [runtime.world, try runtime.world.duplicated(name: "small", elementsPerCall: 1000)] {
        let size = communicator.size
        for count in [0, 1, 7, 1000, 70_001, 300_000] {
            // Values whose sum depends on the order of additions.
            var values = (0..<count).map { Float(($0 % 977) + 1) / Float(communicator.rank * 3 + 7) }
            try values.withUnsafeMutableBufferPointer { try communicator.sum($0) }
            for index in stride(from: 0, to: count, by: 131) {
                let expected = (0..<size).reduce(0.0) { $0 + Double((index % 977) + 1) / Double($1 * 3 + 7) }
                try require(
                    abs(Double(values[index]) - expected) <= 1e-6 * expected, "element \(index): \(values[index])")
            }
            let bits = values.reduce(UInt64(1)) { ($0 ^ UInt64($1.bitPattern)) &* 0x100_0000_01B3 }
            let all = try communicator.allGather([bits])
            try require(all.allSatisfy { $0 == [bits] }, "\(count) floats have other bits on other ranks")
        }
        let rank = Int64(communicator.rank)
        let sums = try communicator.sum([1.5, Double(rank)])
        try require(sums == [1.5 * Double(size), Double(size * (size - 1) / 2)], "sum \(sums)")
        try require(try communicator.minimum([rank, -rank]) == [0, Int64(1 - size)], "minimum")
        try require(try communicator.maximum([rank, Int64.max - rank]) == [Int64(size - 1), .max], "maximum")
        try require(try communicator.maximum([Double(rank)]) == [Double(size - 1)], "maximum of doubles")
        try require(try communicator.sum([rank]) == [Int64(size * (size - 1) / 2)], "sum of integers")
    }
}

/// Broadcast, gather and split of values of different lengths, in one call and in many.
private func checkExchange(_ runtime: MPIRuntime, _: [String]) throws {
    for communicator in [runtime.world, try runtime.world.duplicated(name: "small", elementsPerCall: 64)] {
        let rank = communicator.rank
        let size = communicator.size
        let mine = (0..<rank * 100 + 3).map { Int32($0 * 10 + rank) }
        let expected = (0..<size).map { rank in (0..<rank * 100 + 3).map { Int32($0 * 10 + rank) } }
        try require(try communicator.allGather(mine) == expected, "allGather")
        try require(try communicator.gather(mine, to: size - 1) == (rank == size - 1 ? expected : []), "gather")
        try require(try communicator.gather([Float]()).allSatisfy(\.isEmpty), "gather of nothing")
        try require(try communicator.broadcast(mine, from: size - 1) == expected[size - 1], "broadcast")
        try require(try communicator.broadcast("from \(rank) ü") == "from 0 ü", "broadcast of text")
        try require(try communicator.allGather("rank \(rank)") == (0..<size).map { "rank \($0)" }, "texts")
        let half = try communicator.split(color: rank % 2, name: "half")!
        try require(half.size == (size + 1 - rank % 2) / 2 && half.rank == rank / 2, "split")
        try half.free()
        try require(
            (try communicator.split(color: rank == 0 ? 0 : nil, name: "first") == nil) == (rank != 0),
            "split without color")
    }
    try require(try runtime.world.allGather(runtime.hostName).allSatisfy { !$0.isEmpty }, "host names")
}

/// Two ranks hand each other as much at the same time; who has no partner looks on.
private func checkSwaps(_ runtime: MPIRuntime, _: [String]) throws {
    let world = runtime.world, partner = world.rank ^ 1
    func message(of rank: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7 + rank * 31 + count) }
    }
    for count in [1, 0, 70_001] where partner < world.size {
        var received = [UInt8](repeating: 0, count: count)
        try message(of: world.rank, count).withUnsafeBytes { sent in
            try received.withUnsafeMutableBytes { try world.swap(sent, with: partner, into: $0) }
        }
        try require(received == message(of: partner, count), "\(count) bytes from \(partner)")
    }
}

/// Success returns values; failures reach everyone with ranks and causes; the communicator stays usable.
private func checkAgree(_ runtime: MPIRuntime, _: [String]) throws {
    let world = runtime.world
    try require(try world.agree(on: "counting") { world.rank * 2 } == world.rank * 2, "a value")
    do {
        try world.agree(on: "opening") { if world.rank != 1 { throw CheckFailure("no such file") } }
        try require(false, "nothing was thrown")
    } catch let error as AgreedError {
        let failed = (0..<world.size).filter { $0 != 1 }
        try require(error.failures.map(\.rank) == failed, "\(error)")
        let names = failed.map(String.init).joined(separator: ", ")
        let ranks = world.size == 1 ? "" : failed.count == 1 ? "rank \(names): " : "ranks \(names): "
        try require(error.description == "opening: \(ranks)no such file", "\(error)")
    }
    try world.barrier("leaving the check")
}

/// Collectives of two threads on two communicators, in different interleavings on each rank.
private func checkTwoThreads(_ runtime: MPIRuntime, _: [String]) throws {
    final class Side: @unchecked Sendable {
        let communicator: any Collective
        var sum: Float = 0
        var failure: String?
        init(_ communicator: any Collective) { self.communicator = communicator }
    }
    let side = Side(try runtime.world.duplicated(name: "side"))
    let thread = try SystemThread("side") {
        do {
            for _ in 0..<50 {
                var values = [Float](repeating: 1, count: 20_000)
                try values.withUnsafeMutableBufferPointer { try side.communicator.sum($0) }
                side.sum += values[19_999]
            }
        } catch {
            side.failure = "\(error)"
        }
    }
    for _ in 0..<100 {
        let sums = try runtime.world.sum([1.0, 2.0])
        try require(sums[1] == 2 * Double(runtime.world.size), "sum \(sums)")
    }
    thread.join()
    try require(side.failure == nil && side.sum == 50 * Float(runtime.world.size), "\(side.sum) \(side.failure ?? "")")
}
