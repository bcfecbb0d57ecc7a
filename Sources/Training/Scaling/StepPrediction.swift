package import DataParallel
import TensorCore

/// How a step's messages are sent.
package struct StepSettings: Sendable, Equatable {
    package var microBatches = 1
    package var communication = GradientReducer.Mode.inline
    package var wire = GradientReducer.Wire.float32
    /// Whether the thread that communicates has a core of its own; without one, both halve theirs.
    package var hasCommunicationCore = true

    package init(
        microBatches: Int = 1, communication: GradientReducer.Mode = .inline,
        wire: GradientReducer.Wire = .float32, hasCommunicationCore: Bool = true
    ) {
        (self.microBatches, self.communication) = (microBatches, communication)
        (self.wire, self.hasCommunicationCore) = (wire, hasCommunicationCore)
    }
}

/// What a step takes on many ranks, in seconds, by what it is spent on.
package struct StepPrediction: Sendable, Equatable {
    /// Of a rank that waits for nobody.
    package let computing: Double
    /// Waiting for ranks that are late, beyond what a rank is late by itself.
    package let stragglers: Double
    /// Messages that are awaited: what no computing hides.
    package let awaited: Double
    /// Gradients: what no computing hides.
    package let gradients: Double
    /// Gradients: the time that they are on their way, hidden or not.
    package let gradientsInAll: Double

    package var seconds: Double { computing + stragglers + awaited + gradients }

    /// Follows a step: a rank computes, waits for sums, and hands on buckets, which travel one after another.
    package init(
        _ timeline: StepTimeline, _ settings: StepSettings, over hosts: HostNetwork, delays: DelayRates = .none
    ) {
        var punctual = StepCourse(settings, over: hosts, simulatedRanks: 1)
        punctual.follow(timeline)
        computing = punctual.computing * (1 + delays.share)
        (awaited, gradients, gradientsInAll) = (punctual.awaited, punctual.gradients, punctual.gradientsInAll)
        guard hosts.ranks > 1, !delays.delays.isEmpty else {
            stragglers = 0
            return
        }
        let ranks = min(hosts.ranks, Self.mostRanks)
        let segments = settings.microBatches * timeline.microBatch.count + timeline.update.count
        let steps = min(max(Self.draws / (segments * ranks), 1), 50)
        var generator = KeyedGenerator(1), sum = 0.0
        for _ in 0..<steps {
            var course = StepCourse(settings, over: hosts, simulatedRanks: ranks)
            course.follow(timeline) { delays.draw(ranks: ranks, seconds: $0, &generator) }
            sum += course.seconds
        }
        stragglers = max(0, sum / Double(steps) - punctual.seconds - delays.share * punctual.computing)
    }

    /// Of more ranks so many are followed: the latest of ten times as many is hardly later.
    private static let mostRanks = 20_000
    /// About how often a rank computes in what is simulated.
    private static let draws = 1_000_000
}
