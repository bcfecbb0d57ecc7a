/// The one order in which the buckets of several reducers travel: the same on all ranks, or they would wait for each
/// other's.
///
/// Buckets go in the order in which their reducers began the step, then in their plan's. What is complete of a later
/// reducer waits until those before it have handed on all of theirs: which ones that takes is the same everywhere, even
/// where a rank's pictures give some parameters no gradient. So reducers whose backward passes overlap begin in the order
/// in which these complete, and finish in that order too. Used by the compute thread alone.
package final class BucketOrder {
    /// How buckets travel, for all reducers of this order.
    package let mode: GradientReducer.Mode
    private let thread: CommunicationThread?
    private var failure: (any Error)?
    /// Those that have begun and not handed on all, with what waits of each.
    private var open: [(reducer: ObjectIdentifier, waiting: [() throws -> Void])] = []
    /// The number of the last job that was handed to the thread, by reducer.
    private var last: [ObjectIdentifier: Int] = [:]

    /// - Parameter ranks: one has nobody to talk to, and needs no thread.
    package init(mode: GradientReducer.Mode, ranks: Int) throws {
        self.mode = mode
        thread = mode == .overlapped && ranks > 1 ? try CommunicationThread() : nil
    }

    var isOverlapped: Bool { thread != nil }

    /// A reducer begins its step; what it left of one that was given up is dropped.
    func begin(_ reducer: ObjectIdentifier) {
        open.removeAll { $0.reducer == reducer }
        open.append((reducer, []))
    }

    func submit(_ job: @escaping () throws -> Void, of reducer: ObjectIdentifier) {
        guard let place = open.firstIndex(where: { $0.reducer == reducer }) else {
            preconditionFailure("a bucket is complete before its reducer began the step")
        }
        if place == 0 { run(job, of: reducer) } else { open[place].waiting.append(job) }
    }

    /// A reducer has submitted all of its step; those that waited for it go.
    func close(_ reducer: ObjectIdentifier) {
        precondition(open.first?.reducer == reducer, "reducers finish in the order in which they began the step")
        open.removeFirst()
        guard let next = open.first else { return }
        open[0].waiting = []
        for job in next.waiting { run(job, of: next.reducer) }
    }

    /// Returns when all buckets of a reducer have travelled; throws the first error of any.
    func wait(for reducer: ObjectIdentifier) throws {
        if let failure { throw failure }
        if let thread, let number = last[reducer] { try thread.wait(for: number) }
    }

    private func run(_ job: @escaping () throws -> Void, of reducer: ObjectIdentifier) {
        if let thread {
            last[reducer] = thread.submit(job)
        } else if failure == nil {
            do { try job() } catch { failure = error }
        }
    }
}
