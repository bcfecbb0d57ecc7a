import Synchronization

/// The collectives that this process has entered, numbered by communicator: what is reported when one never returns.
///
/// Ranks call the collectives of a communicator in one order, so a number means the same call on all of them. Cheap
/// enough to be always on: an entry and an exit take about a tenth of a microsecond.
final class CollectiveLog: Sendable {
    static let shared = CollectiveLog()

    /// One call.
    struct Call: Sendable {
        let channel: Int
        let communicator: String
        /// From 1, in the order of the communicator.
        let number: Int
        /// For example `MPI_Allreduce`.
        let function: StaticString
        /// What the call serves, for example `saving step 100`; empty for the many of a step.
        let purpose: String
        /// Elements or bytes handed in.
        let count: Int
        let began: ContinuousClock.Instant
        var ended: ContinuousClock.Instant?
    }

    /// Where one communicator's calls have come to.
    struct Channel: Sendable {
        let name: String
        /// Calls entered so far.
        var number = 0
        /// The call that has not returned.
        var open: Call?
    }

    static let capacity = 256

    private struct State {
        /// By the order in which communicators were made, which is the same on all ranks; nil once freed.
        var channels: [Channel?] = []
        /// The latest calls that have returned, as a ring.
        var recent: [Call] = []
        var next = 0
    }

    private let state = Mutex(State())

    func addChannel(_ name: String) -> Int {
        state.withLock {
            $0.channels.append(Channel(name: name))
            return $0.channels.count - 1
        }
    }

    func removeChannel(_ index: Int) { state.withLock { $0.channels[index] = nil } }

    func begin(_ function: StaticString, channel: Int, purpose: String, count: Int) {
        let now = ContinuousClock.now
        state.withLock {
            guard var entered = $0.channels[channel] else { return }
            entered.number += 1
            entered.open = Call(
                channel: channel, communicator: entered.name, number: entered.number, function: function,
                purpose: purpose, count: count, began: now)
            $0.channels[channel] = entered
        }
    }

    /// A call that failed stays open: its error ends the job.
    func end(channel: Int) {
        let now = ContinuousClock.now
        state.withLock {
            guard var call = $0.channels[channel]?.open else { return }
            $0.channels[channel]?.open = nil
            call.ended = now
            if $0.recent.count < Self.capacity {
                $0.recent.append(call)
            } else {
                $0.recent[$0.next] = call
                $0.next = ($0.next + 1) % Self.capacity
            }
        }
    }

    /// Of each communicator that is in use, by index.
    var channels: [(index: Int, channel: Channel)] {
        state.withLock { state in
            state.channels.enumerated().compactMap { index, channel in channel.map { (index, $0) } }
        }
    }

    /// The latest calls, oldest first, those that have not returned last.
    var recent: [Call] {
        state.withLock { state in
            Array(state.recent[state.next...] + state.recent[..<state.next]) + state.channels.compactMap { $0?.open }
        }
    }

    /// The text of a report: one line a call.
    func description(now: ContinuousClock.Instant = .now) -> String {
        recent.map { call in
            let ago = (now - call.began).inSeconds
            let took = call.ended.map { "took \(milliseconds($0 - call.began)) ms" } ?? "has not returned"
            let purpose = call.purpose.isEmpty ? "" : ", \(call.purpose)"
            return
                "\(rounded(ago)) s ago: \(call.communicator) #\(call.number) \(call.function), \(call.count) elements"
                + "\(purpose): \(took)\n"
        }.joined()
    }

    private func rounded(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }
    private func milliseconds(_ duration: Duration) -> Double { (duration.inSeconds * 1e6).rounded() / 1000 }
}

extension Duration {
    package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
