import MessagePassing
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
struct StepSummary: Sendable {
    let loss: Double
    /// Matching cells per image pair, and the share of pairs without any.
    let positivesPerImage: Double
    let withoutOverlap: Double
    /// How far the momentum projections of different pixels are from being one and the same: 0 for equal ones, 1 for
    /// vectors in all directions.
    let featureSpread: Double
    /// Images that some rank could not read and replaced in this step.
    let unreadable: Int
    /// Means over ranks.
    let times: StepTimes
    let rankTimes: RankTimes
    /// The signal that some rank received, 0 for none: all ranks stop after this step.
    let stopSignal: Int32

    /// Sums over all ranks in one message. Collective.
    init(
        _ outcome: BatchOutcome, times: StepTimes, unreadable: Int, stopSignal: Int32, communicator: Communicator
    ) throws {
        let own = [times.total, times.data, times.communication]
        var message = [
            outcome.loss, Double(outcome.images), Double(outcome.positives), Double(outcome.withoutOverlap),
            Double(unreadable), stopSignal == 0 ? 0 : 1, Double(stopSignal), Double(outcome.features.rows),
        ]
        let start = message.count
        message += [Double](repeating: 0, count: own.count * communicator.size)
        message.replaceSubrange(
            start + own.count * communicator.rank..<start + own.count * (communicator.rank + 1), with: own)
        message += outcome.features.sums
        let sums = try communicator.sum(message)
        loss = sums[0]
        positivesPerImage = sums[2] / sums[1]
        withoutOverlap = sums[3] / sums[1]
        self.unreadable = Int(sums[4])
        self.stopSignal = sums[5] > 0 ? Int32(sums[6] / sums[5]) : 0
        let perRank = (0..<communicator.size).map { rank in
            let place = start + own.count * rank
            return StepTimes(total: sums[place], data: sums[place + 1], communication: sums[place + 2])
        }
        rankTimes = RankTimes(perRank)
        let ranks = Double(communicator.size)
        self.times = StepTimes(
            total: perRank.reduce(0) { $0 + $1.total } / ranks, data: perRank.reduce(0) { $0 + $1.data } / ranks,
            communication: perRank.reduce(0) { $0 + $1.communication } / ranks)
        featureSpread =
            FeatureMoments(rows: Int(sums[7]), sums: Array(sums[(start + own.count * communicator.size)...]))
            .spread
    }
}
