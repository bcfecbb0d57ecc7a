package import Learning

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
    /// Of the step's last phase.
    package let loss: Double
    /// Of phases that have names, by these.
    package let losses: [String: Double]
    /// Images that some rank could not read and replaced in this step.
    package let unreadable: Int
    /// Means over ranks.
    package let times: StepTimes
    package let rankTimes: RankTimes
    /// A signal that some rank received, the one of the highest number; 0 for none: all ranks stop after this step.
    package let stopSignal: Int32

    /// Adds what a run itself has to say of a step on this rank.
    package static func add(times: StepTimes, unreadable: Int, stopSignal: Int32, to figures: inout Figures) {
        figures.add("unreadable", sum: Double(unreadable))
        figures.add("stop signal", maximum: Double(stopSignal))
        figures.add("seconds", each: times.total)
        figures.add("seconds of data", each: times.data)
        figures.add("seconds of communication", each: times.communication)
    }

    package init(_ totals: Figures.Totals, phases: [TrainingPhase]) {
        let losses = phases.map { totals.sum($0.lossName) }
        loss = losses.last!
        self.losses = Dictionary(
            zip(phases, losses).filter { !$0.0.name.isEmpty }.map { ($0.0.name, $0.1) }, uniquingKeysWith: { $1 })
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
    }
}
