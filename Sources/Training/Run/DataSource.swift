import ImagePipeline
import MessagePassing
import SystemPackage

/// The pictures of a run, found by rank zero and known to all ranks.
enum DataSource {
    /// Lists the roots on rank zero, sends the list to all ranks and has each check that it can read there.
    ///
    /// One listing spares a shared file system a million look-ups per rank, and every rank sees the same order. To the
    /// watchdog each entry is progress: a listing may take hours, but may not stand still.
    /// Collective; throws the same error on all ranks.
    static func index(_ roots: [FilePath], excluding run: FilePath, _ runtime: MPIRuntime) throws -> ImageIndex {
        let communicator = runtime.world
        let listed = try communicator.agree(on: "listing the images") {
            communicator.isRoot
                ? try ImageIndex(roots: roots, excluding: [run], proceed: runtime.watchdog.advance) : nil
        }
        let bytes = try communicator.broadcast(listed?.serialized ?? [])
        return try communicator.agree(on: "reading the image folders") {
            let index = try listed ?? ImageIndex(serialized: bytes)
            try index.verifyReadable(isElsewhere: !communicator.isRoot)
            return index
        }
    }

    /// The pictures of one of a rank's micro-batches of the step at `position`.
    static func samples(
        at position: RunPosition, micro: Int, order: SampleOrder, plan: BatchPlan, rank: Int
    ) -> [Int] {
        let start = position.samplesInEpoch + (micro * plan.ranks + rank) * plan.microBatch
        return Array(order.permutation(epoch: position.epoch)[start..<start + plan.microBatch])
    }

    /// The batches that this rank loads, in order, from `position` on, one for each micro-batch.
    ///
    /// The samples of a step are a contiguous part of the epoch's order. A micro-batch of all ranks together is a
    /// contiguous part of it again, so that the ranks share batch statistics over the same images whatever their number.
    static func requests(
        from position: RunPosition, order: SampleOrder, plan: BatchPlan, rank: Int, end: @escaping (RunPosition) -> Bool
    ) -> () -> (epoch: Int, samples: [Int])? {
        var position = position
        var micro = 0
        return {
            guard !end(position) else { return nil }
            let samples = Self.samples(at: position, micro: micro, order: order, plan: plan, rank: rank)
            let request = (epoch: position.epoch, samples: samples)
            micro += 1
            if micro == plan.accumulation {
                micro = 0
                position = position.advanced(by: plan.global, epochOf: order.count)
            }
            return request
        }
    }
}

extension RunConfiguration {
    /// How a picture becomes its two views.
    package var viewTransform: TwoViewTransform {
        TwoViewTransform(
            imageSize: data.imageSize, minimumCrop: data.minimumCrop, augmentation: data.augmentation,
            seed: UInt64(run.seed))
    }
}
