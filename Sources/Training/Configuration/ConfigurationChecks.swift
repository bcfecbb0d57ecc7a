extension RunConfiguration {
    /// What keys say against each other; each key alone is in its range.
    ///
    /// - Parameter place: where a key was set, for messages.
    func contradictions(place: (String) -> String) -> [ConfigurationError.Problem] {
        var problems: [ConfigurationError.Problem] = []
        if schedule.warmupEpochs >= schedule.epochs {
            problems.append(
                .init(
                    place("schedule.warmupEpochs"),
                    "\(schedule.warmupEpochs) warm-up epochs leave nothing of \(schedule.epochs) epochs",
                    remedy: "set schedule.warmupEpochs below schedule.epochs (0 trains without warm-up)"))
        }
        let augmentation = data.augmentation
        for (low, least, high, most) in [
            ("data.minimumCrop", data.minimumCrop, "data.augmentation.maximumCrop", augmentation.maximumCrop),
            (
                "data.augmentation.minimumAspect", augmentation.minimumAspect, "data.augmentation.maximumAspect",
                augmentation.maximumAspect
            ),
            (
                "data.augmentation.minimumBlur", augmentation.minimumBlur, "data.augmentation.maximumBlur",
                augmentation.maximumBlur
            ),
        ] where least > most {
            problems.append(
                .init(
                    place(low), "\(low) \(least.yaml) is above \(high) \(most.yaml)",
                    remedy: "lower \(low), or raise \(high)"))
        }
        if let segmentation = evaluation.segmentation, let void = segmentation.void, void < segmentation.classes {
            problems.append(
                .init(
                    place("evaluation.segmentation.void"),
                    "void \(void) is one of the \(segmentation.classes) classes 0 to \(segmentation.classes - 1)",
                    remedy: "set evaluation.segmentation.void to the id that marks unlabelled pixels, or to null"))
        }
        if let count = batch.microBatch.count, let perRank = batch.perRank, count <= perRank,
            !perRank.isMultiple(of: count)
        {
            problems.append(
                .init(
                    place("batch.microBatch"),
                    "\(perRank) images per rank cannot be divided into micro-batches of \(count)",
                    remedy: "set batch.microBatch to a divisor of \(perRank)"))
        }
        return problems
    }
}
