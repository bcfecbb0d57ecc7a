package import MessagePassing
package import NeuralNetwork
import TensorCore

/// Sums batch statistics over all ranks, on communicators of its own so that gradients may travel at the same time.
package final class SynchronizedStatistics: StatisticsReducing {
    /// That can be interleaved.
    package static let mostPasses = 4

    /// What reports call the groups of interleaved passes, with a number behind.
    package static let passName = "statistics of pass"

    private let communicator: any Collective
    private var own = CommunicationStatistics()
    private let channels: [Channel]
    /// Runs passes that need nothing of each other.
    package let passes: PassRunner

    /// Collective.
    ///
    /// - Parameter interleavesPasses: whether passes compute while others wait for their sums.
    package init(communicator: any Collective, interleavesPasses: Bool = false) throws {
        self.communicator = try communicator.duplicated(name: "statistics")
        channels = try (0..<(interleavesPasses && communicator.size > 1 ? Self.mostPasses : 0)).map {
            Channel(try communicator.duplicated(name: "\(Self.passName) \($0 + 1)"))
        }
        passes = PassRunner(channels: channels)
    }

    /// What the sums cost so far; all of it is exposed, also of interleaved passes, which compute while sums are on their
    /// way: it is what is then still waited for.
    package var statistics: CommunicationStatistics {
        var all = channels.reduce(into: own) { $0.add($1.statistics) }
        all.exposedSeconds = all.seconds
        return all
    }

    package func sum(_ values: UnsafeMutableBufferPointer<Double>) throws {
        guard communicator.size > 1 else { return }
        own.add(
            values,
            seconds: try measured {
                // As passes that are interleaved do it: a sum rounds the same whichever way ranks wait for it.
                try Trace.span("statistics", counts: .statistics) {
                    try communicator.beginSum(values).finish(meanwhile: Meanwhile.look)
                }
            })
    }

    /// Of one pass.
    private final class Channel: InterleavedStatistics {
        private let communicator: any Collective
        private var sum: (any BegunCollective)?
        var statistics = CommunicationStatistics()

        init(_ communicator: any Collective) { self.communicator = communicator }

        func begin(_ values: UnsafeMutableBufferPointer<Double>) throws {
            statistics.add(values, seconds: try measured { sum = try communicator.beginSum(values) })
        }

        func advance() { sum?.advance() }

        func finish() throws {
            statistics.seconds += try measured { try sum?.finish(meanwhile: Meanwhile.look) }
            sum = nil
        }
    }
}

extension CommunicationStatistics {
    fileprivate mutating func add(_ values: UnsafeMutableBufferPointer<Double>, seconds: Double) {
        self.seconds += seconds
        collectives += 1
        bytes += values.count * MemoryLayout<Double>.stride
    }

    fileprivate mutating func add(_ others: CommunicationStatistics) {
        seconds += others.seconds
        collectives += others.collectives
        bytes += others.bytes
    }
}
