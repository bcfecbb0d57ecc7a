import DataParallel
import Foundation
import TensorCore
import Testing
import Training

/// What sums, delays and steps are expected to take, against what was worked out by hand or drawn at random.
@Suite struct ScalingModelTests {
    private let link = NetworkLink(latency: 1e-3, bandwidth: 1e6, loadedLatency: 4e-3)

    private func isNear(_ value: Double, _ expected: Double, _ tolerance: Double = 1e-9) -> Bool {
        abs(value - expected) <= tolerance * max(abs(expected), 1e-12)
    }

    // MARK: Sums

    @Test func sumsCostWhatTheirMessagesDo() {
        let eight = HostNetwork(hosts: 8, network: link, sumBytesPerSecond: 1e7)
        // 1000 bytes: 1 ms to send, 0.1 ms to add, 1 ms of latency.
        #expect(isNear(AllReduce.recursiveDoubling.seconds(bytes: 1000, over: eight), 3 * 2.1e-3))
        #expect(isNear(AllReduce.halving.seconds(bytes: 1000, over: eight), 6e-3 + 1.75e-3 + 0.0875e-3))
        #expect(isNear(AllReduce.ring.seconds(bytes: 1000, over: eight), 14 * 1.125e-3 + 0.0875e-3))
        // Two ranks beyond a power of two hand in before and receive behind.
        let six = HostNetwork(hosts: 6, network: link)
        #expect(isNear(AllReduce.recursiveDoubling.seconds(bytes: 1000, over: six), 4 * 2e-3))
        #expect(AllReduce.rounds(1) == 0 && AllReduce.rounds(1000) == 11 && AllReduce.rounds(1024) == 10)
        for algorithm in AllReduce.allCases {
            #expect(algorithm.seconds(bytes: 1e6, over: HostNetwork(hosts: 1, network: link)) == 0)
        }
    }

    @Test func ranksOfAHostShareItsLink() {
        let near = NetworkLink(latency: 1e-5, bandwidth: 1e9)
        let hosts = HostNetwork(hosts: 4, ranksPerHost: 2, network: link, withinHost: near)
        // A round within, two between in which both ranks send all of it.
        #expect(isNear(AllReduce.recursiveDoubling.seconds(bytes: 1000, over: hosts), 1.1e-5 + 2 * 3e-3))
        // Within hosts first, one rank of each sends.
        #expect(isNear(AllReduce.hierarchical.seconds(bytes: 1000, over: hosts), 1.1e-5 + 4e-3, 1e-2))
        let halves = AllReduce.gradientSeconds(bytes: 1e8, wire: .bfloat16, over: HostNetwork(hosts: 4, network: link))
        let whole = AllReduce.gradientSeconds(bytes: 1e8, wire: .float32, over: HostNetwork(hosts: 4, network: link))
        #expect(isNear(halves, whole / 2, 1e-3))
    }

    @Test func aLinkIsFittedToItsMessages() throws {
        let exact = [8.0, 1e3, 1e5, 4e6].map { (bytes: $0, seconds: 2e-5 + $0 / 1.25e8) }
        let fitted = try #require(NetworkLink(fitting: exact))
        #expect(isNear(fitted.latency, 2e-5, 1e-6) && isNear(fitted.bandwidth, 1.25e8, 1e-6))
        // Of times that are a tenth off either way, the mean.
        let noisy = exact.flatMap { [($0.bytes, $0.seconds * 1.1), ($0.bytes, $0.seconds * 0.9)] }
            .map { (bytes: $0.0, seconds: $0.1) }
        #expect(isNear(try #require(NetworkLink(fitting: noisy)).bandwidth, 1.25e8, 0.03))
        #expect(NetworkLink(fitting: [(8, 1e-5), (8, 2e-5)]) == nil)
        #expect(NetworkLink(fitting: [(8, 1e-3), (1e6, 1e-5)]) == nil)
    }

    // MARK: Delays

    @Test func drawnDelaysAreThoseThatWereSeen() {
        // 500 delays in 100 s, each of up to 20 ms.
        var generator = KeyedGenerator(7)
        let seen = (0..<500).map { _ in 0.02 * Double(generator.uniform()) }
        let rates = DelayRates(seen, observedSeconds: 100)
        #expect(isNear(rates.share, seen.reduce(0, +) / 100))
        var drawn: [(rank: Int, seconds: Double)] = []
        for _ in 0..<1000 { drawn += rates.draw(ranks: 4, seconds: 1, &generator) }
        // 4000 s of computing, five delays in each.
        #expect(isNear(Double(drawn.count), 20_000, 0.03))
        #expect(isNear(drawn.reduce(0) { $0 + $1.seconds }, 4000 * rates.share, 0.04))
        for rank in 0..<4 { #expect(isNear(Double(drawn.count { $0.rank == rank }), 5000, 0.06)) }
        #expect(drawn.allSatisfy { $0.seconds <= seen.max()! })
        #expect(DelayRates.none.draw(ranks: 1000, seconds: 1, &generator).isEmpty && DelayRates.none.share == 0)
    }

    /// Where each piece of work is awaited, a step takes what the latest of all ranks takes, piece by piece:
    /// with Λ(x) delays longer than x in a second, ∫ 1 − exp(−ranks · seconds · Λ(x)) dx for each.
    @Test func whereEachSumIsAwaitedTheLatestRankDecides() {
        // So seldom that a rank is hardly ever late twice in a piece.
        let lengths = (1...20).map { 0.001 * Double($0) }, observed = 1000.0
        let rates = DelayRates(lengths, observedSeconds: observed)
        let timeline = StepTimeline(
            microBatch: Array(repeating: .init(seconds: 0.02, message: .awaited(8)), count: 100), update: [])
        for ranks in [4, 64, 512] {
            let expected = (0..<20).reduce(0.0) { sum, shorter in
                sum + 0.001 * -expm1(-Double(ranks) * 0.02 * Double(20 - shorter) / observed)
            }
            let step = StepPrediction(
                timeline, StepSettings(), over: HostNetwork(hosts: ranks, network: .ideal), delays: rates)
            let late = step.seconds - 2
            #expect(isNear(late, 100 * expected, 0.15), "\(ranks) ranks: \(late), \(100 * expected)")
        }
    }

    // MARK: Steps

    /// 20 ms and a sum, 30 ms and a bucket, 10 ms and another; then 5 ms.
    private let timeline = StepTimeline(
        microBatch: [
            .init(seconds: 0.02, message: .awaited(1000)), .init(seconds: 0.03, message: .gradients(20_000)),
            .init(seconds: 0.01, message: .gradients(40_000)),
        ], update: [.init(seconds: 0.005, message: .none)])

    private func step(_ settings: StepSettings, _ hosts: HostNetwork, _ delays: DelayRates = .none) -> StepPrediction {
        StepPrediction(timeline, settings, over: hosts, delays: delays)
    }

    @Test func aStepAloneIsWhatWasMeasured() {
        let delays = DelayRates([0.001, 0.002], observedSeconds: 0.1)
        for mode in GradientReducer.Mode.allCases {
            let alone = step(StepSettings(communication: mode), HostNetwork(hosts: 1, network: link), delays)
            // Its usual pieces, and its delays: 3 ms in 100.
            #expect(isNear(alone.seconds, 0.065 * 1.03) && isNear(alone.computing, 0.065 * 1.03))
        }
        let three = step(StepSettings(microBatches: 3), HostNetwork(hosts: 1, network: link), delays)
        #expect(isNear(three.seconds, 0.185 * 1.03))
    }

    @Test func aNetworkWithoutCostLeavesTheSlowest() {
        let delays = DelayRates([0.001, 0.002], observedSeconds: 0.1)
        let many = step(StepSettings(), HostNetwork(hosts: 64, network: .ideal), delays)
        #expect(many.awaited == 0 && many.gradients == 0 && many.stragglers > 0)
        #expect(isNear(many.seconds, many.computing + many.stragglers))
        #expect(isNear(step(StepSettings(), HostNetwork(hosts: 64, network: .ideal)).seconds, 0.065))
    }

    @Test func bucketsTravelOneAfterAnother() {
        // Two ranks send all to each other: 1 ms and 20, 1 ms and 40; a sum of 1000 bytes takes 2 ms.
        let hosts = HostNetwork(hosts: 2, network: link)
        let inline = step(StepSettings(), hosts)
        #expect(isNear(inline.awaited, 0.002) && isNear(inline.gradients, 0.021 + 0.041))
        // The first is on its way from 52 to 73 ms, the second is ready at 62, leaves at 73 and is there at 114.
        let overlapped = step(StepSettings(communication: .overlapped), hosts)
        #expect(isNear(overlapped.gradients, 0.114 - 0.062) && isNear(overlapped.gradientsInAll, 0.062))
        #expect(isNear(overlapped.seconds, 0.119))
        // On one core, the 10 ms of computing take 20 beside the first bucket: the second is ready at 72.
        let shared = step(StepSettings(communication: .overlapped, hasCommunicationCore: false), hosts)
        #expect(isNear(shared.seconds, 0.119) && isNear(shared.computing, 0.065))
        // Of three micro-batches the last alone sends.
        let three = step(StepSettings(microBatches: 3), hosts)
        #expect(isNear(three.gradients, 0.062) && isNear(three.awaited, 0.006))
    }

    /// The same with four times the gradients, which go around a ring.
    private var largeBuckets: StepTimeline {
        var large = timeline
        large.microBatch[1].message = .gradients(80_000)
        large.microBatch[2].message = .gradients(160_000)
        return large
    }

    @Test func bucketsTravelAroundARingWhileTheirRanksCompute() {
        // Two ranks send halves to and fro, 2 ms and 80, 2 ms and 160: the first is on its way from 52 to 134 ms, the second is
        // ready at 62, leaves at 134 and is there at 296.
        let hosts = HostNetwork(hosts: 2, network: link)
        for mode in GradientReducer.Mode.allCases {
            let step = StepPrediction(largeBuckets, StepSettings(communication: mode), over: hosts)
            #expect(isNear(step.gradients, 0.296 - 0.062) && isNear(step.gradientsInAll, 0.244), "\(mode)")
            #expect(isNear(step.awaited, 0.002) && isNear(step.seconds, 0.301), "\(mode)")
        }
        // Where adding takes time, the sum takes 3 ms and buckets 40 and 80 more, which are also computing's: the second is
        // ready at 103, leaves when the first is there at 53 + 122, and takes 242.
        let adding = HostNetwork(hosts: 2, network: link, sumBytesPerSecond: 1e6)
        #expect(
            isNear(StepPrediction(largeBuckets, StepSettings(), over: adding).seconds, 0.053 + 0.122 + 0.242 + 0.005))
    }

    /// Of more ranks than a ring is good for, buckets travel where nobody computes; in slices they always get on.
    @Test func inlineBucketsOfManyRanksAreWaitedFor() {
        let hosts = HostNetwork(hosts: 65, network: link)
        func step(_ settings: StepSettings) -> StepPrediction { StepPrediction(largeBuckets, settings, over: hosts) }
        let inline = step(StepSettings())
        #expect(isNear(inline.gradients, inline.gradientsInAll))
        #expect(step(StepSettings(communication: .overlapped)).gradients < inline.gradients)
        let halved = step(StepSettings(wire: .bfloat16))
        #expect(isNear(halved.gradients, halved.gradientsInAll - 0.01))
    }

    /// Who is late adds late; that holds nobody else up.
    @Test func addingIsNoBarrier() {
        var course = StepCourse(
            StepSettings(), over: HostNetwork(hosts: 2, network: .ideal, sumBytesPerSecond: 4e7), simulatedRanks: 2)
        // Rank 0 is late by 10 ms before the first bucket, rank 1 before the second; each takes a millisecond to add.
        let late = StepTimeline(
            microBatch: [
                .init(seconds: 0.03, message: .gradients(80_000)), .init(seconds: 0.01, message: .gradients(80_000)),
            ], update: [])
        course.follow(late) { [(rank: $0 > 0.02 ? 0 : 1, seconds: 0.01)] }
        #expect(isNear(course.seconds, 0.052))
    }

    /// Two passes of four pieces of 10 ms each, in turns.
    private let passes = StepTimeline(
        microBatch: (0..<4).flatMap { _ in
            (0..<2).map { StepTimeline.Segment(seconds: 0.01, message: .awaited(1000), pass: $0) }
        } + (0..<2).map { .init(seconds: 0.001, message: .none, pass: $0) }, update: [])

    @Test func aPassComputesWhileTheOtherWaits() {
        // A sum takes 2 ms and two looks of half a millisecond, and the other pass computes for 10; the last two end behind
        // one of 1 ms.
        let hosts = HostNetwork(hosts: 2, network: link)
        let interleaved = StepPrediction(passes, StepSettings(), over: hosts)
        #expect(isNear(interleaved.computing, 0.082) && isNear(interleaved.awaited, 0.002))
        #expect(isNear(StepPrediction(passes.inTurn, StepSettings(), over: hosts).awaited, 8 * 0.002))
        // Sums of 23 ms: the first of a pass comes 13 ms after the other has computed; both are under way at once.
        let slow = HostNetwork(hosts: 2, network: NetworkLink(latency: 0.021, bandwidth: 1e6))
        #expect(isNear(StepPrediction(passes, StepSettings(), over: slow).awaited, 3 * 0.013 + 0.013 + 0.009))
    }

    @Test func passesThatWereInterleavedCanBePutInTurn() {
        let inTurn = passes.inTurn.microBatch
        #expect(inTurn.count == 10 && inTurn.allSatisfy { $0.pass == nil })
        let one = Array(repeating: 0.01, count: 4) + [0.001]
        #expect(inTurn.map(\.seconds) == one + one)
        #expect(timeline.inTurn == timeline)
    }

    /// A rank that is late by less than the other pass computes holds nobody up.
    @Test func interleavedPassesForgiveDelays() {
        let rates = DelayRates([0.004, 0.005, 0.006], observedSeconds: 0.6)
        let hosts = HostNetwork(hosts: 256, network: .ideal)
        let interleaved = StepPrediction(passes, StepSettings(), over: hosts, delays: rates)
        let inTurn = StepPrediction(passes.inTurn, StepSettings(), over: hosts, delays: rates)
        #expect(interleaved.stragglers < 0.7 * inTurn.stragglers, "\(interleaved), \(inTurn)")
    }

    @Test func awaitedMessagesQueueBehindGradients() {
        var late = timeline
        late.microBatch.append(.init(seconds: 0.001, message: .awaited(1000)))
        let hosts = HostNetwork(hosts: 2, network: link)
        // The second leaves while both buckets travel: 4 ms of latency and 1 ms.
        let awaited = StepPrediction(late, StepSettings(communication: .overlapped), over: hosts).awaited
        #expect(isNear(awaited, 0.002 + 0.005))
        #expect(isNear(StepPrediction(late, StepSettings(), over: hosts).awaited, 0.004))
    }

    @Test func moreNodesAreNeverFaster() {
        let delays = DelayRates([0.0001, 0.001, 0.002], observedSeconds: 1)
        for mode in GradientReducer.Mode.allCases {
            for wire in GradientReducer.Wire.allCases {
                let settings = StepSettings(communication: mode, wire: wire)
                let seconds = (0...12).map {
                    step(settings, HostNetwork(hosts: 1 << $0, network: link), delays).seconds
                }
                #expect(zip(seconds, seconds.dropFirst()).allSatisfy { $0 < $1 }, "\(mode) \(wire): \(seconds)")
            }
        }
    }

    // MARK: Failures

    @Test func failuresCostWhatTheyTake() {
        func share(_ rate: Double, nodes: Int, interval: Double = 3600) -> GoodputPrediction {
            GoodputPrediction(
                .init(failuresPerNodeYear: rate, detection: 60, restart: 90, checkpoint: 36, interval: interval),
                nodes: nodes)
        }
        #expect(isNear(share(0, nodes: 1000).share, 1 / 1.01))
        // A failure every 8.766 hours: half an hour, a checkpoint and 150 s.
        let many = share(1, nodes: 1000)
        #expect(isNear(many.secondsBetweenFailures, 31_557.6))
        #expect(isNear(many.share, 1 / (1.01 + 1986 / 31_557.6)))
        #expect(isNear(many.bestInterval, (2 * 36 * 31_557.6).squareRoot()))
        // Young's interval is at least as good as others.
        let best = share(1, nodes: 1000, interval: many.bestInterval).share
        for factor in [0.25, 0.5, 2, 4] {
            #expect(share(1, nodes: 1000, interval: many.bestInterval * factor).share < best)
        }
    }
}
