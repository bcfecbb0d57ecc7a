package import MessagePassing
import NeuralNetwork
import TensorCore

/// Sums batch statistics over all ranks, on a communicator of its own so that gradients may travel at the same time.
package final class SynchronizedStatistics: StatisticsReducing {
    private let communicator: any Collective
    /// What the sums cost so far; all of it is exposed, because a layer cannot go on without its statistics.
    package private(set) var statistics = CommunicationStatistics()

    /// Collective.
    package init(communicator: any Collective) throws {
        self.communicator = try communicator.duplicated(name: "statistics")
    }

    package func sum(_ values: UnsafeMutableBufferPointer<Double>) throws {
        guard communicator.size > 1 else { return }
        let seconds = try measured {
            try Trace.span("statistics", counts: .statistics) { try communicator.sum(values) }
        }
        statistics.seconds += seconds
        statistics.exposedSeconds += seconds
        statistics.collectives += 1
        statistics.bytes += values.count * MemoryLayout<Double>.stride
    }
}
