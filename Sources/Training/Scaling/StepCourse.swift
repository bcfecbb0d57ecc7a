import DataParallel

/// The moments to which the ranks of a step have come.
package struct StepCourse {
    private let settings: StepSettings
    private let hosts: HostNetwork
    /// Of each rank that is followed.
    private var now: [Double]
    /// When the last bucket that was handed on has travelled.
    private var linkIsFree = 0.0
    /// What buckets take that travel behind the backward pass.
    private var postponed = 0.0
    /// When the sum is there that a pass waits for, by pass.
    private var arrivals: [Int: Double] = [:]

    /// Of a rank, without delays.
    private(set) var computing = 0.0
    /// In which ranks could only wait for messages, if none was late.
    private(set) var awaited = 0.0, gradients = 0.0
    /// The time that gradients were on their way.
    private(set) var gradientsInAll = 0.0

    /// To which the last rank has come.
    package var seconds: Double { now.max()! }

    /// - Parameter simulatedRanks: those that are followed: all, or one for all if none is ever late.
    package init(_ settings: StepSettings, over hosts: HostNetwork, simulatedRanks: Int) {
        (self.settings, self.hosts) = (settings, hosts)
        now = Array(repeating: 0, count: simulatedRanks)
    }

    /// - Parameter lateness: draws by how much which ranks are late in so many seconds of computing.
    package mutating func follow(
        _ timeline: StepTimeline, lateness: (_ seconds: Double) -> [(rank: Int, seconds: Double)] = { _ in [] }
    ) {
        for number in 1...settings.microBatches {
            follow(timeline.microBatch, sendsGradients: number == settings.microBatches, lateness)
        }
        wait(until: max(linkIsFree, seconds + postponed), for: \.gradients)
        postponed = 0
        follow(timeline.update, sendsGradients: false, lateness)
    }

    private mutating func follow(
        _ segments: [StepTimeline.Segment], sendsGradients: Bool,
        _ lateness: (_ seconds: Double) -> [(rank: Int, seconds: Double)]
    ) {
        for segment in segments {
            if let pass = segment.pass, let arrival = arrivals.removeValue(forKey: pass) {
                wait(until: arrival, for: \.awaited)
            }
            compute(segment.seconds)
            for (rank, seconds) in lateness(segment.seconds) { now[rank] += seconds }
            switch segment.message {
            case .awaited(let bytes): sum(bytes: Double(bytes), of: segment.pass)
            case .gradients(let bytes): if sendsGradients { send(bytes: Double(bytes)) }
            case .none: break
            }
        }
    }

    private mutating func compute(_ seconds: Double) {
        computing += seconds
        for rank in now.indices {
            var left = seconds
            if settings.communication == .overlapped, !settings.hasCommunicationCore, linkIsFree > now[rank] {
                // Both take turns on one core until the link is free.
                let shared = min(2 * left, linkIsFree - now[rank])
                if rank == 0 { gradients += shared / 2 }
                now[rank] += shared
                left -= shared / 2
            }
            now[rank] += left
        }
    }

    /// Complete when the slowest has come and the sum is made; the pass, or without one the step, goes on then.
    private mutating func sum(bytes: Double, of pass: Int?) {
        guard hosts.ranks > 1 else { return }
        var path = hosts
        let complete = seconds
        if linkIsFree > complete { path.network.latency = max(path.network.latency, path.network.loadedLatency) }
        let arrival = complete + AllReduce.fastestFlat(bytes: bytes, over: path)
        guard let pass else { return wait(until: arrival, for: \.awaited) }
        // Up a tree and down again, in steps that wait until a rank that computes looks after its messages.
        arrivals[pass] = arrival + 2 * AllReduce.rounds(hosts.ranks) * Self.secondsUntilLook
    }

    /// Half of what a part of a convolution takes, after which a rank looks: its maps fill a core's cache.
    private static let secondsUntilLook = 0.5e-3

    private mutating func send(bytes: Double) {
        let travelling = AllReduce.gradientSeconds(bytes: bytes, wire: settings.wire, over: hosts)
        gradientsInAll += travelling
        switch settings.communication {
        case .inline where settings.wire == .float32 && !AllReduce.goesAroundARing(bytes: bytes, over: hosts):
            postponed += travelling
        case .inline:
            linkIsFree = max(linkIsFree, seconds) + travelling
            // Who computes adds what arrives.
            let adding = AllReduce.moved(hosts.ranks) * bytes / hosts.sumBytesPerSecond
            gradients += adding
            for rank in now.indices { now[rank] += adding }
        case .overlapped: linkIsFree = max(linkIsFree, seconds) + travelling
        }
    }

    private mutating func wait(until moment: Double, for part: WritableKeyPath<StepCourse, Double>) {
        self[keyPath: part] += max(0, moment - seconds)
        for rank in now.indices { now[rank] = max(now[rank], moment) }
    }
}
