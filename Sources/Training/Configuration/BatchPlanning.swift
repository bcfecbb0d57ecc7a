import Checkpointing
package import DataParallel
import Files
import Settings
package import TensorCore

extension BatchPlan {
    /// Plans for `ranks` ranks.
    ///
    /// - Parameters:
    ///   - microBatches: as many as a run that goes on has had; nil takes as few as `batch.microBatch` allows.
    ///   - memoryPerRank: bytes that a rank may use, the least of all ranks so that all plan alike; decides
    ///     `batch.microBatch: auto`, as many images as have activations of at most half of what weights, gradients, states
    ///     and a save leave of it.
    /// - Throws: `ConfigurationError` where a micro-batch has fewer images than there are ranks.
    package init(
        configuration: RunConfiguration, ranks: Int, microBatches: Int? = nil,
        memoryPerRank: Int = PhysicalMemory.assumed
    ) throws {
        let global = configuration.batch.images(ranks: ranks)
        guard global >= ranks else {
            throw ConfigurationError([
                .init(
                    "batch.global", "\(global) images are fewer than \(ranks) ranks",
                    remedy: "set batch.global to \(ranks) or more, or start at most \(global) ranks")
            ])
        }
        var count = microBatches
        if count == nil, let limit = configuration.batch.microBatch.count {
            count = Self.fewestMicroBatches(global, ranks, limit: limit)
        }
        if let count {
            guard Self.fits(global: global, ranks: ranks, microBatches: count) else {
                throw Self.tooFewImages(
                    global, ranks, microBatches: count, key: microBatches == nil ? "batch.microBatch" : "batch.global",
                    // A run that goes on keeps its micro-batches, another has fewer on more ranks.
                    mostRanks: try Self.mostRanks(configuration, available: ranks, microBatches: microBatches))
            }
            self.init(global: global, ranks: ranks, microBatches: count)
        } else {
            let weights = configuration.memory(
                parameters: configuration.task.parameterCount, imagesAtOnce: 0, elementType: .float32)
            let task = configuration.task
            let views = configuration.parallel.passes == .interleaved ? task.interleavedActivations : 1
            let limit = max(1, (memoryPerRank - weights) / 2 / (views * task.activationBytesPerImage))
            let wanted = Self.fewestMicroBatches(global, ranks, limit: limit)
            self.init(global: global, ranks: ranks, microBatches: min(wanted, global / ranks))
        }
    }

    /// The most of `available` ranks that the batch can be planned for: all, unless a micro-batch has fewer images.
    ///
    /// - Parameter microBatches: as many as a run that goes on has had; nil for a new one.
    package static func mostRanks(
        _ configuration: RunConfiguration, available: Int, microBatches: Int? = nil
    ) throws -> Int {
        let batch = configuration.batch
        let most = min(available, batch.global ?? available)
        if let microBatches {
            let fitting = stride(from: most, to: 1, by: -1).first {
                fits(global: batch.images(ranks: $0), ranks: $0, microBatches: microBatches)
            }
            return fitting ?? 1
        }
        guard let limit = batch.microBatch.count else { return most }
        return mostRanks(from: most, limit: limit, images: batch.images)
    }

    private static func mostRanks(from most: Int, limit: Int, images: (_ ranks: Int) -> Int) -> Int {
        stride(from: most, to: 1, by: -1).first { ranks in
            let global = images(ranks)
            return fits(global: global, ranks: ranks, microBatches: fewestMicroBatches(global, ranks, limit: limit))
        } ?? 1
    }

    /// As few micro-batches as leave each rank at most `limit` images of each.
    private static func fewestMicroBatches(_ global: Int, _ ranks: Int, limit: Int) -> Int {
        let perMicroBatch = limit * ranks
        return (global + perMicroBatch - 1) / perMicroBatch
    }

    /// Some micro-batch has fewer images than there are ranks.
    private static func tooFewImages(
        _ global: Int, _ ranks: Int, microBatches: Int, key: String, mostRanks: Int
    ) -> ConfigurationError {
        let atOnce = global / ranks * ranks
        return ConfigurationError([
            .init(
                key,
                "\(global) images in \(microBatches) micro-batches leave \(global / microBatches) for \(ranks) ranks in "
                    + "one of them",
                remedy: "set batch.microBatch to \((global + atOnce - 1) / atOnce) or more, batch.global to "
                    + "\(microBatches * ranks) or more, or start at most \(mostRanks) ranks")
        ])
    }
}

extension RunConfiguration.Batch {
    /// Images of an update on so many ranks.
    func images(ranks: Int) -> Int {
        switch size {
        case .global(let images): images
        case .perRank(let images): images * ranks
        }
    }
}

extension RunConfiguration {
    static let microBatchesKey = "microBatches"

    /// Into how many micro-batches a run that goes on cuts an update; nil where `batch.microBatch` is set anew, or the
    /// checkpoint does not tell.
    func microBatchesKept(after saved: RunConfiguration, _ facts: CheckpointFacts) -> Int? {
        saved.batch.microBatch == batch.microBatch ? facts.counters[Self.microBatchesKey] : nil
    }

    /// The same of the run's latest start, or of the newest checkpoint in its directory; nil also where there is none to go
    /// on from.
    package func microBatchesKept() throws -> Int? {
        guard checkpoint.resume != .never else { return nil }
        if let cut = try RunEvent.read(RunDirectory(run.directory).history).compactMap(\.cut).last {
            return cut.microBatch == batch.microBatch.count ? cut.microBatches : nil
        }
        for entry in try CheckpointCatalog.list(runDirectory: run.directory) {
            // A damaged one is passed over here as by the run, which tells of it.
            guard case .success(let manifest) = entry.manifest else { continue }
            let saved = try Self.parse(
                yaml: manifest.facts.configuration, name: entry.directory.shown, tasks: [type(of: task)])
            return microBatchesKept(after: saved.configuration, manifest.facts)
        }
        return nil
    }

    /// About what training takes on each rank, in bytes.
    ///
    /// Each parameter takes 40: its weight and the weight's moving average, gradient and velocity, kernels packed for
    /// products, and a copy while a checkpoint is written (measured on ResNet-18 and ResNet-50). The libraries take 100 MB.
    package func memory(
        parameters: Int, imagesAtOnce: Int, elementType: ElementType, interleavesPasses: Bool = false
    ) -> Int {
        let image = task.activationBytesPerImage / (elementType == .bfloat16 ? 2 : 1)
        return 100_000_000 + 40 * parameters + image * imagesAtOnce
            * (interleavesPasses ? task.interleavedActivations : 1)
    }

    /// Whether passes of a step are interleaved; the same on all ranks.
    ///
    /// - Parameter memoryPerRank: bytes that a rank may use, the least of all ranks.
    package func interleavesPasses(_ batch: BatchPlan, elementType: ElementType, memoryPerRank: Int) -> Bool {
        guard batch.ranks > 1, task.interleavedActivations > 1 else { return false }
        switch parallel.passes {
        case .interleaved: return true
        case .inTurn: return false
        case .auto:
            let bytes = memory(
                parameters: task.parameterCount, imagesAtOnce: batch.mostImagesAtOnce, elementType: elementType,
                interleavesPasses: true)
            return bytes <= memoryPerRank / 2
        }
    }
}
