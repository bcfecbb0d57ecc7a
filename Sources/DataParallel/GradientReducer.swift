package import MessagePassing
package import NeuralNetwork
import TensorCore

/// Sums every parameter's gradient over all ranks while the backward pass still runs.
///
/// A step is `begin()`, any number of backward passes of which the last reports each complete gradient to `markReady`,
/// and `finish()`. A bucket begins to travel when its last gradient is complete and those before it have travelled, in the
/// plan's order on every rank, so that results do not depend on timing. Gradients are summed, not averaged: the loss is scaled by the global batch.
package final class GradientReducer {
    package enum Mode: String, Sendable, CaseIterable {
        /// On the compute thread, which looks after messages while it computes: best where no core is free for a thread.
        case inline
        /// On a communication thread.
        case overlapped
    }

    /// What gradients are sent as.
    package enum Wire: String, Sendable, CaseIterable {
        case float32
        /// Half the bytes; rounded once before and once after the sum, which is float32 in rank order.
        case bfloat16
    }

    package let mode: Mode
    package let plan: BucketPlan
    package let buckets: [GradientBucket]
    private let communicator: any Collective
    private let wire: Wire
    private let order: BucketOrder
    private let bucketOfParameter: [ObjectIdentifier: Int]
    private var readyParameters: Set<ObjectIdentifier> = []
    /// The first bucket that has not been handed to communication in this step.
    private var next = 0
    private let costs = BucketSum.Costs()
    /// In which the compute thread waited for another one.
    private var waitedSeconds = 0.0

    /// Gives the parameters' gradients their memory. Collective: checks that all ranks planned the same buckets.
    ///
    /// - Parameter order: what several reducers share, so that the buckets of all travel one after another; its own if nil.
    ///   Who computes looks after it (`BucketOrder.advance`) where buckets are to travel inline meanwhile.
    package init(
        parameters: [Parameter], communicator: any Collective, mode: Mode, wire: Wire = .float32,
        order: BucketOrder? = nil, firstBucketBytes: Int = 2 << 20, bucketBytes: Int = 16 << 20
    ) throws {
        precondition(order == nil || order!.mode == mode, "a reducer is \(mode), and what it shares is not")
        plan = BucketPlan(
            parameters: parameters.map { ($0.name, $0.value.count) },
            firstBucketBytes: firstBucketBytes, bucketBytes: bucketBytes)
        try verifyRanksAgree(
            plan.hash, on: "the gradient buckets",
            remedy: "start every rank with the same program and configuration", communicator)
        self.mode = mode
        self.communicator = try communicator.duplicated(name: "gradients")
        self.wire = wire
        self.order = try order ?? BucketOrder(mode: mode, ranks: communicator.size)
        let buckets = plan.buckets.map { GradientBucket($0, of: parameters) }
        self.buckets = buckets
        var bucketOfParameter: [ObjectIdentifier: Int] = [:]
        for (index, bucket) in buckets.enumerated() {
            for parameter in bucket.parameters { bucketOfParameter[ObjectIdentifier(parameter)] = index }
        }
        self.bucketOfParameter = bucketOfParameter
    }

    /// What the sums cost so far; to be read between `finish()` and the next `begin()`.
    package var statistics: CommunicationStatistics {
        var statistics = costs.statistics
        statistics.exposedSeconds += waitedSeconds
        return statistics
    }

    /// Starts a step: all gradients become empty.
    package func begin() {
        next = 0
        readyParameters.removeAll(keepingCapacity: true)
        for bucket in buckets { bucket.begin() }
        order.begin(ObjectIdentifier(self))
    }

    /// Says that nothing will be added to this parameter's gradient in this step. Never throws: a failed sum is
    /// reported by `finish()`.
    package func markReady(_ parameter: Parameter) {
        let key = ObjectIdentifier(parameter)
        guard let index = bucketOfParameter[key] else {
            preconditionFailure("parameter \(parameter.name) is in no gradient bucket")
        }
        precondition(
            readyParameters.insert(key).inserted, "the gradient of \(parameter.name) was reported complete twice")
        parameter.settleGradient()
        buckets[index].countCompleteGradient()
        while next < buckets.count && buckets[next].isComplete {
            reduce(buckets[next], number: next)
            next += 1
        }
    }

    /// Reduces what is left (parameters that took no part count as zero), waits for every bucket, and throws the first
    /// error of any. Afterwards every rank holds the same gradients.
    package func finish() throws {
        for bucket in buckets {
            for parameter in bucket.parameters where !readyParameters.contains(ObjectIdentifier(parameter)) {
                markReady(parameter)
            }
        }
        order.close(ObjectIdentifier(self))
        guard communicator.size > 1 else { return }
        let wait = { [self] in
            try Trace.span("waiting for buckets") { try order.wait(for: ObjectIdentifier(self)) }
        }
        // What the compute thread does for buckets counts there.
        guard order.isOverlapped else { return try wait() }
        waitedSeconds += try measured { try TimeAccount.shared.part(.gradients, wait) }
    }

    private func reduce(_ bucket: GradientBucket, number: Int) {
        guard communicator.size > 1 else { return }
        let isInline = !order.isOverlapped
        order.submit(
            { [communicator, wire, costs, gradients = bucket.gradients] in
                try BucketSum(
                    gradients, number: number, wire: wire, over: communicator, isInline: isInline, costs: costs)
            },
            of: ObjectIdentifier(self))
    }
}
