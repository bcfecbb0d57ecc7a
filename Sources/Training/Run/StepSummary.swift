import MessagePassing

/// Seconds of a step on one rank, by what they were spent on.
struct StepTimes: Sendable {
    var total = 0.0
    /// Waiting for images.
    var data = 0.0
    /// Waiting in collectives.
    var communication = 0.0

    var compute: Double { max(total - data - communication, 0) }
}

/// A step as all ranks together see it.
struct StepSummary: Sendable {
    let loss: Double
    /// Matching cells per image pair, and the share of pairs without any.
    let positivesPerImage: Double
    let withoutOverlap: Double
    /// Images that some rank could not read and replaced in this step.
    let unreadable: Int
    /// Means over ranks.
    let times: StepTimes

    /// Sums over all ranks in one message. Collective.
    init(_ outcome: BatchOutcome, times: StepTimes, unreadable: Int, communicator: Communicator) throws {
        let sums = try communicator.sum([
            outcome.loss, Double(outcome.images), Double(outcome.positives), Double(outcome.withoutOverlap),
            Double(unreadable), times.total, times.data, times.communication,
        ])
        let ranks = Double(communicator.size)
        loss = sums[0]
        positivesPerImage = sums[2] / sums[1]
        withoutOverlap = sums[3] / sums[1]
        self.unreadable = Int(sums[4])
        self.times = StepTimes(total: sums[5] / ranks, data: sums[6] / ranks, communication: sums[7] / ranks)
    }
}
