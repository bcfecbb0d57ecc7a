import PixelLearning

/// Seconds of a step on one rank, by what they were spent on.
package struct StepTimes: Sendable {
    package init(total: Double = 0, data: Double = 0, communication: Double = 0) {
        (self.total, self.data, self.communication) = (total, data, communication)
    }

    package var total: Double
    /// Waiting for images.
    package var data: Double
    /// Waiting in collectives.
    package var communication: Double

    var compute: Double { max(total - data - communication, 0) }
}

/// A step as all ranks together see it.
package struct StepSummary: Sendable {
    package let loss: Double
    /// Matching cells per image pair, and the share of pairs without any.
    package let positivesPerImage: Double
    package let withoutOverlap: Double
    /// How far the momentum projections of different pixels are from being one and the same: 0 for equal ones, 1 for
    /// vectors in all directions.
    package let featureSpread: Double
    /// Images that some rank could not read and replaced in this step.
    package let unreadable: Int
    /// Means over ranks.
    package let times: StepTimes
    package let rankTimes: RankTimes
    /// A signal that some rank received, the one of the highest number; 0 for none: all ranks stop after this step.
    package let stopSignal: Int32

    /// This rank's part of the step.
    package static func figures(
        _ outcome: BatchOutcome, times: StepTimes, unreadable: Int, stopSignal: Int32
    ) -> Figures {
        var figures = Figures()
        figures.add("loss", sum: outcome.loss)
        figures.add("positives", total: Double(outcome.positives), of: Double(outcome.images))
        figures.add("without overlap", total: Double(outcome.withoutOverlap), of: Double(outcome.images))
        figures.add("unreadable", sum: Double(unreadable))
        figures.add("stop signal", maximum: Double(stopSignal))
        figures.add("seconds", each: times.total)
        figures.add("seconds of data", each: times.data)
        figures.add("seconds of communication", each: times.communication)
        figures.add("feature rows", sum: Double(outcome.features.rows))
        figures.add("features", sums: outcome.features.sums)
        return figures
    }

    package init(_ totals: Figures.Totals) {
        loss = totals.sum("loss")
        positivesPerImage = totals.mean("positives")
        withoutOverlap = totals.mean("without overlap")
        unreadable = Int(totals.sum("unreadable"))
        stopSignal = Int32(totals.maximum("stop signal"))
        let seconds = totals.each("seconds")
        let data = totals.each("seconds of data"), communication = totals.each("seconds of communication")
        let ranks = seconds.indices.map {
            StepTimes(total: seconds[$0], data: data[$0], communication: communication[$0])
        }
        rankTimes = RankTimes(ranks)
        let count = Double(ranks.count)
        times = StepTimes(
            total: seconds.reduce(0, +) / count, data: data.reduce(0, +) / count,
            communication: communication.reduce(0, +) / count)
        featureSpread = FeatureMoments(rows: Int(totals.sum("feature rows")), sums: totals.sums("features")).spread
    }
}
