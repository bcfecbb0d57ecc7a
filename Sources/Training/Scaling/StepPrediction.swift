package import DataParallel

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
    /// Of a rank that is never late.
    package private(set) var computing = 0.0
    /// Waiting for the slowest rank, before each message that is awaited.
    package private(set) var stragglers = 0.0
    /// Messages that are awaited: their own time.
    package private(set) var awaited = 0.0
    /// Gradients: what no computing hides.
    package private(set) var gradients = 0.0
    /// Gradients: the time that they are on their way, hidden or not.
    package private(set) var gradientsInAll = 0.0

    package var seconds: Double { computing + stragglers + awaited + gradients }

    /// Follows a step: a rank computes, waits for sums, and hands on buckets, which travel one after another.
    package init(
        _ timeline: StepTimeline, _ settings: StepSettings, over hosts: HostNetwork, delays: DelayRates = .none
    ) {
        var course = Course(settings: settings, hosts: hosts, delays: delays)
        for number in 1...settings.microBatches {
            course.follow(timeline.microBatch, sendsGradients: number == settings.microBatches)
        }
        course.waitForGradients()
        course.follow(timeline.update, sendsGradients: false)
        self = course.spent
    }

    /// The moment that a step has come to.
    private struct Course {
        let settings: StepSettings
        let hosts: HostNetwork
        let delays: DelayRates
        var spent = StepPrediction()
        private var now = 0.0
        /// When the last bucket that was handed on has travelled.
        private var linkIsFree = 0.0
        /// Seconds of computing since ranks last waited for each other.
        private var sinceSum = 0.0

        init(settings: StepSettings, hosts: HostNetwork, delays: DelayRates) {
            (self.settings, self.hosts, self.delays) = (settings, hosts, delays)
        }

        mutating func follow(_ segments: [StepTimeline.Segment], sendsGradients: Bool) {
            for segment in segments {
                compute(segment.seconds)
                switch segment.message {
                case .awaited(let bytes): wait(bytes: Double(bytes))
                case .gradients(let bytes): if sendsGradients { send(bytes: Double(bytes)) }
                case .none: break
                }
            }
        }

        private mutating func compute(_ seconds: Double) {
            spent.computing += seconds
            sinceSum += seconds
            var left = seconds
            if !settings.hasCommunicationCore, linkIsFree > now {
                // Both take turns on one core until the link is free.
                let shared = min(2 * left, linkIsFree - now)
                spent.gradients += shared / 2
                now += shared
                left -= shared / 2
            }
            now += left
        }

        /// A rank goes on when the slowest has come, and the sum is made.
        private mutating func wait(bytes: Double) {
            guard hosts.ranks > 1 else { return }
            waitForSlowest()
            var path = hosts
            if linkIsFree > now { path.network.latency = max(path.network.latency, path.network.loadedLatency) }
            pass(AllReduce.fastestFlat(bytes: bytes, over: path), to: \.awaited)
        }

        private mutating func waitForSlowest() {
            let extra =
                delays.expectedMaximum(ranks: hosts.ranks, seconds: sinceSum)
                - delays.expectedMaximum(ranks: 1, seconds: sinceSum)
            pass(extra, to: \.stragglers)
            sinceSum = 0
        }

        private mutating func send(bytes: Double) {
            let seconds = AllReduce.gradientSeconds(bytes: bytes, wire: settings.wire, over: hosts)
            spent.gradientsInAll += seconds
            switch settings.communication {
            case .overlapped: linkIsFree = max(linkIsFree, now) + seconds
            case .inline:
                if hosts.ranks > 1 { waitForSlowest() }
                pass(seconds, to: \.gradients)
            }
        }

        mutating func waitForGradients() {
            pass(max(0, linkIsFree - now), to: \.gradients)
        }

        private mutating func pass(_ seconds: Double, to part: WritableKeyPath<StepPrediction, Double>) {
            spent[keyPath: part] += seconds
            now += seconds
        }
    }

    private init() {}
}
