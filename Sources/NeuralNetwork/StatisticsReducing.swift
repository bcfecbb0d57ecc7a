/// Sums small buffers of batch statistics over all workers that share a batch.
///
/// The layers know nothing of ranks: a data-parallel program supplies an implementation over MPI.
package protocol StatisticsReducing: AnyObject {
    /// Replaces `values` by their sum over all workers; every worker calls it in the same order with as many values.
    func sum(_ values: UnsafeMutableBufferPointer<Double>) throws

    /// Does what passes must do one after another, in their order: at once, or when interleaved passes have ended.
    func inOrder(_ body: @escaping () -> Void)
}

extension StatisticsReducing {
    package func inOrder(_ body: @escaping () -> Void) { body() }
}

/// Sums for one of several passes, while others compute.
package protocol InterleavedStatistics: AnyObject {
    /// Begins a sum; until `finish` the values are its own.
    func begin(_ values: UnsafeMutableBufferPointer<Double>) throws
    /// Lets it get on; called now and then by whoever computes.
    func advance()
    /// Returns when the sum is there.
    func finish() throws
}

/// One worker: the sum is what it has.
package final class LocalStatistics: StatisticsReducing {
    package init() {}
    package func sum(_ values: UnsafeMutableBufferPointer<Double>) {}
}
