/// What a thread looks after while it computes: between loops and parts of convolutions, at most every tenth of a
/// millisecond.
///
/// Messages, most of all, which get on only while their ranks call MPI.
package final class Meanwhile: @unchecked Sendable {
    // @unchecked: used by the thread that computes alone.
    @TaskLocal static var current: Meanwhile?

    /// In nanoseconds.
    private static let pause: Int64 = 100_000
    private let body: () -> Void
    private var last: Int64 = 0

    private init(_ body: @escaping () -> Void) { self.body = body }

    /// Runs `body`, in which the calling thread looks after `others`, and after what it looks after already.
    package static func lookingAfter<Result>(
        _ others: @escaping () -> Void, _ body: () throws -> Result
    ) rethrows -> Result {
        let outer = current?.body
        let all =
            outer.map { outer in
                {
                    outer()
                    others()
                }
            } ?? others
        return try $current.withValue(Meanwhile(all), operation: body)
    }

    /// On the threads that share a loop it is nothing.
    package static func look() { current?.lookIfItIsTime() }

    private func lookIfItIsTime() {
        let now = Trace.now
        guard now - last >= Self.pause else { return }
        last = now
        body()
    }
}
