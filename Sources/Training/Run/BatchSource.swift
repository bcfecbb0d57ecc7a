import ImagePipeline
import MessagePassing

/// The loader of a rank, as all ranks together draw from it: what one cannot load ends the step on all.
final class BatchSource<Samples: SampleLoading> {
    private let loader: BatchLoader<Samples>
    private let communicator: any Collective
    /// Seconds in which this rank had its batch and others had not.
    private(set) var secondsForOthers = 0.0

    init(_ loader: BatchLoader<Samples>, _ communicator: any Collective) {
        (self.loader, self.communicator) = (loader, communicator)
    }

    /// Seconds that this rank's own batches were waited for.
    var secondsWaited: Double { loader.secondsWaited }

    /// The next batch. Where a rank has none, all throw the same error, so that a folder that is gone from a thousand
    /// ranks is told once. Collective.
    func next() throws -> Samples.Batch {
        let clock = ContinuousClock(), start = clock.now, before = loader.secondsWaited
        defer { secondsForOthers += (clock.now - start).inSeconds - (loader.secondsWaited - before) }
        return try communicator.agree(on: "loading images") {
            guard let batch = try loader.next() else { throw TrainingError("the loader ended before the schedule") }
            return batch
        }
    }

    /// Images that could not be read since the last call, each named once.
    func takeFailures() -> [(description: String, reason: String)] { loader.takeFailures() }

    func stop() { loader.stop() }
}
