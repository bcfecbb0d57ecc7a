import MessagePassing
import TensorCore

/// The sum of a bucket over all ranks, and what it costs.
final class BucketSum: BegunCollective {
    /// Written by the thread that communicates, read by the compute thread after waiting for it.
    final class Costs: @unchecked Sendable {
        var statistics = CommunicationStatistics()
    }

    // SAFETY: held for as long as messages may be on their way, which read and write it.
    private let gradients: Tensor
    private let number: Int
    private let costs: Costs
    /// Whether the compute thread does it.
    private let isInline: Bool
    private let bytes: Int, collectives: Int
    private let began: Int64
    private let sum: any BegunCollective

    /// Begins to replace `gradients` by their sum.
    init(
        _ gradients: Tensor, number: Int, wire: GradientReducer.Wire, over communicator: any Collective, isInline: Bool,
        costs: Costs
    ) throws {
        (self.gradients, self.number, self.isInline, self.costs) = (gradients, number, isInline, costs)
        began = Trace.now
        switch wire {
        case .float32:
            (bytes, collectives) = (gradients.byteCount, 1)
            sum = try Self.part(isInline, costs) { try communicator.beginSum(gradients.floats) }
        case .bfloat16:
            let halved = Self.part(isInline, costs) { HalvedSum(gradients, over: communicator) }
            (bytes, collectives) = (halved.bytes, halved.collectives)
            sum = halved
        }
    }

    func advance() -> Bool { Self.part(isInline, costs) { sum.advance() } }

    func finish(meanwhile: (() -> Void)?) throws {
        try Self.part(isInline, costs) { try sum.finish(meanwhile: meanwhile) }
        costs.statistics.seconds += Double(Trace.now - began) / 1e9
        costs.statistics.bytes += bytes
        costs.statistics.collectives += collectives
        Trace.add("bucket \(number)", .communication, since: began)
    }

    /// Runs what the compute thread does for a sum, if it is the one.
    private static func part<Result>(_ isInline: Bool, _ costs: Costs, _ body: () throws -> Result) rethrows -> Result {
        guard isInline else { return try body() }
        let start = Trace.now
        defer { costs.statistics.exposedSeconds += Double(Trace.now - start) / 1e9 }
        return try TimeAccount.shared.part(.gradients, body)
    }
}
