/// Sums small buffers of batch statistics over all workers that share a batch.
///
/// The layers know nothing of ranks: a data-parallel program supplies an implementation over MPI.
package protocol StatisticsReducing: AnyObject {
    /// Replaces `values` by their sum over all workers; every worker calls it in the same order with as many values.
    func sum(_ values: UnsafeMutableBufferPointer<Double>) throws
}

/// One worker: the sum is what it has.
package final class LocalStatistics: StatisticsReducing {
    package init() {}
    package func sum(_ values: UnsafeMutableBufferPointer<Double>) {}
}
