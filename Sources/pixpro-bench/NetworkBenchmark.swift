import MessagePassing
import Synchronization
import TensorCore
import Threads
import Training

/// Latency and bandwidth between ranks, as sums need them: both ways at once, all pairs at once.
struct NetworkBenchmark {
    private let world: Communicator

    init(_ world: Communicator) { self.world = world }

    private static let sizes = [8, 4 << 10, 32 << 10, 256 << 10, 1 << 20, 4 << 20]

    /// Collective.
    func links() throws -> NodeMeasurement.Links {
        let names = try world.allGather(world.hostName)
        var hosts: [String] = []
        for name in names where !hosts.contains(name) { hosts.append(name) }
        let leaders = hosts.map { names.firstIndex(of: $0)! }
        // Neighbours: the first ranks of hosts 0 and 1, of 2 and 3; on each host its ranks 0 and 1.
        let place = leaders.firstIndex(of: world.rank).map { $0 ^ 1 }
        let partner = place.flatMap { $0 < leaders.count ? leaders[$0] : nil }
        let here = names.indices.filter { names[$0] == world.hostName }, mine = here.firstIndex(of: world.rank)! ^ 1
        let neighbour = mine < here.count ? here[mine] : nil
        let between = hosts.count > 1 ? try samples(with: partner) : nil
        let within = world.size > hosts.count ? try samples(with: neighbour) : nil
        let loaded = hosts.count > 1 ? try loadedLatency() : nil
        return NodeMeasurement.Links(
            sumBytesPerSecond: try additions(),
            network: between.flatMap { NetworkLink(fitting: $0, loadedLatency: loaded) },
            withinHost: within.flatMap { NetworkLink(fitting: $0) })
    }

    /// Seconds of an exchange of each size, the mean over many and over pairs. Collective; a rank without a partner looks on.
    ///
    /// Not the median of single ones: what a partner that is ahead has sent is there before the clock starts.
    private func samples(with partner: Int?) throws -> [(bytes: Double, seconds: Double)] {
        var samples: [(bytes: Double, seconds: Double)] = []
        let sent = Tensor.zeros([Self.sizes.last! / 4]), received = Tensor.zeros([Self.sizes.last! / 4])
        for bytes in Self.sizes {
            let repetitions = bytes <= 64 << 10 ? 60 : 6
            var own = [0.0, 0]
            try world.barrier("exchanging \(bytes) bytes")
            if let partner {
                let out = UnsafeRawBufferPointer(start: sent.pointer, count: bytes)
                let into = UnsafeMutableRawBufferPointer(start: received.pointer, count: bytes)
                func exchange(_ times: Int) throws {
                    for _ in 0..<times { try world.swap(out, with: partner, into: into) }
                }
                try exchange(2)
                own = [try seconds { try exchange(repetitions) } / Double(repetitions), 1]
            }
            let sum = try world.sum(own)
            samples.append((Double(bytes), sum[0] / max(sum[1], 1)))
        }
        return samples
    }

    /// Seconds of a small message each round while large sums are on their way in another thread; nil where these were over
    /// too soon to tell. Collective.
    private func loadedLatency() throws -> Double? {
        let sums = LargeSums(try world.duplicated(name: "large sums"))
        let thread = try SystemThread("large sums") { sums.run() }
        var times: [Double] = [], areBusy = true
        while areBusy {
            // All ranks stop after the same message.
            var message = [Double](repeating: 0, count: 1 << 10)
            message[0] = sums.isDone ? 0 : 1
            let time = try seconds { message = try world.sum(message) }
            areBusy = message[0] > 0
            if message[0] == Double(world.size) { times.append(time) }
        }
        thread.join()
        try sums.check()
        let slowest = try world.maximum([times.isEmpty ? 0 : median(times)])[0]
        return slowest > 0 ? slowest / AllReduce.rounds(world.size) : nil
    }

    /// Bytes of float32 that a rank adds in a second, the least of all. Collective.
    private func additions() throws -> Double {
        let one = Tensor.zeros([1 << 20]), other = Tensor.zeros([1 << 20])
        let times = (0..<7).map { _ in seconds { one.addOnThisThread(other) } }
        return try world.minimum([Double(4 << 20) / median(times)])[0]
    }
}

/// What travels while a small message waits.
private final class LargeSums: Sendable {
    private let group: any Collective
    private let done = Atomic(false)
    private let failure = Mutex<(any Error)?>(nil)

    init(_ group: any Collective) { self.group = group }

    var isDone: Bool { done.load(ordering: .acquiring) }

    /// The thread's body: three sums of 16 MiB.
    func run() {
        let gradients = Tensor.zeros([4 << 20])
        do {
            for _ in 0..<3 { try group.beginSum(gradients.floats).finish() }
        } catch {
            failure.withLock { $0 = error }
        }
        done.store(true, ordering: .releasing)
    }

    func check() throws { if let error = failure.withLock({ $0 }) { throw error } }
}
