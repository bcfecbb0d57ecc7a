import MessagePassing

/// The one order in which the buckets of several reducers travel: the same on all ranks, or they would wait for each
/// other's.
///
/// Buckets go in the order in which their reducers began the step, then in their plan's. What is complete of a later
/// reducer waits until those before it have handed on all of theirs: which ones that takes is the same everywhere, even
/// where a rank's pictures give some parameters no gradient. So reducers whose backward passes overlap begin in the order
/// in which these complete, and finish in that order too. One bucket travels at a time. Used by the compute thread alone.
package final class BucketOrder {
    /// How buckets travel, for all reducers of this order.
    package let mode: GradientReducer.Mode
    private let thread: CommunicationThread?
    /// What travels without a thread.
    private let travelling = CollectiveSequence()
    /// Those that have begun and not handed on all, with what waits of each.
    private var open: [(reducer: ObjectIdentifier, waiting: [CollectiveSequence.Begin])] = []
    /// The number of the last bucket that was handed on, by reducer.
    private var last: [ObjectIdentifier: Int] = [:]

    /// - Parameter ranks: one has nobody to talk to, and needs no thread.
    package init(mode: GradientReducer.Mode, ranks: Int) throws {
        self.mode = mode
        thread = mode == .overlapped && ranks > 1 ? try CommunicationThread() : nil
    }

    var isOverlapped: Bool { thread != nil }

    /// A reducer begins its step. What it left of one that was given up is dropped, what it had on its way arrives first.
    func begin(_ reducer: ObjectIdentifier) {
        travelling.complete(upTo: last[reducer] ?? 0)
        open.removeAll { $0.reducer == reducer }
        open.append((reducer, []))
    }

    func submit(_ bucket: @escaping CollectiveSequence.Begin, of reducer: ObjectIdentifier) {
        guard let place = open.firstIndex(where: { $0.reducer == reducer }) else {
            preconditionFailure("a bucket is complete before its reducer began the step")
        }
        if place == 0 { send(bucket, of: reducer) } else { open[place].waiting.append(bucket) }
    }

    /// A reducer has submitted all of its step; those that waited for it go.
    func close(_ reducer: ObjectIdentifier) {
        precondition(open.first?.reducer == reducer, "reducers finish in the order in which they began the step")
        open.removeFirst()
        guard let next = open.first else { return }
        open[0].waiting = []
        for bucket in next.waiting { send(bucket, of: next.reducer) }
    }

    /// Gives buckets the time that they need to travel while the compute thread computes; nothing where a thread does.
    package func advance() { travelling.advance() }

    /// Returns when all buckets of a reducer have travelled; throws the first error of any.
    func wait(for reducer: ObjectIdentifier) throws {
        let number = last[reducer] ?? 0
        if let thread { try thread.wait(for: number) } else { try travelling.finish(upTo: number) }
    }

    private func send(_ bucket: @escaping CollectiveSequence.Begin, of reducer: ObjectIdentifier) {
        last[reducer] = thread?.submit { try bucket().finish() } ?? travelling.append(bucket)
    }
}
