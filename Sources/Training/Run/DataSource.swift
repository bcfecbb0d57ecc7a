import DataParallel
import ImagePipeline
import Learning
import MessagePassing
import SystemPackage

/// The pictures of a run, found by rank zero and known to all ranks.
enum DataSource {
    /// Where a configuration says that pictures are, and how they are listed.
    static func roots(
        of configuration: RunConfiguration, excluding run: FilePath, _ runtime: MPIRuntime
    ) -> PictureRoots {
        let paths = configuration.data.roots
        return PictureRoots(
            paths, seed: configuration.run.seed, communicator: runtime.world, advance: runtime.watchdog.advance
        ) { try index(paths, excluding: run, keptIn: RunDirectory(run).pictureList, runtime) }
    }

    /// What rank zero lists below the roots, on all ranks; to the watchdog each entry is progress: a listing may take hours,
    /// but may not stand still. Collective; throws the same error on all ranks.
    ///
    /// - Parameter file: where the list is kept for later starts; nil for nowhere.
    static func index(
        _ roots: [FilePath], excluding run: FilePath, keptIn file: FilePath? = nil, _ runtime: MPIRuntime
    ) throws -> ImageIndex {
        try ImageIndex.shared(
            roots, listing: "the images", excluding: [run], keptIn: file, runtime.world,
            advance: runtime.watchdog.advance)
    }

    /// The pictures of one of a rank's micro-batches of the step at `position`.
    static func samples(
        at position: RunPosition, micro: Int, order: SampleOrder, plan: BatchPlan, rank: Int
    ) -> [Int] {
        let images = plan.images(ofMicroBatch: micro, rank: rank), first = position.samplesInEpoch
        return Array(
            order.permutation(epoch: position.epoch)[first + images.lowerBound..<first + images.upperBound])
    }

    /// The batches that this rank loads, in order, from `position` on, one for each micro-batch of each phase.
    ///
    /// The samples of a step are a contiguous part of the epoch's order, and so is each micro-batch of all ranks.
    static func requests(
        from position: RunPosition, order: SampleOrder, plan: BatchPlan, phases: Int, rank: Int,
        end: @escaping (RunPosition) -> Bool
    ) -> () -> BatchRequest? {
        var position = position
        var micro = 0, phase = 0
        return {
            guard phase > 0 || micro > 0 || !end(position) else { return nil }
            let samples = Self.samples(at: position, micro: micro, order: order, plan: plan, rank: rank)
            let request = (epoch: position.epoch, samples: samples)
            micro += 1
            if micro == plan.microBatches {
                micro = 0
                phase = (phase + 1) % phases
                position = position.advanced(by: plan.global, epochOf: order.count, finishingStep: phase == 0)
            }
            return request
        }
    }
}
