/// When something is due that a run does again and again: after so many seconds of training, or as often as a share of
/// the time pays for, by what it last cost.
package struct Pace: Sendable, Equatable {
    private let share: Double
    private let fixed: Double?
    private var interval = 0.0
    private var passed = 0.0

    /// - Parameters:
    ///   - seconds: between two times; nil for as often as `share` of the time pays for.
    ///   - share: of the training time that it may cost, more than 0.
    package init(seconds: Double?, share: Double) {
        precondition(share > 0, "something that may cost nothing is never due")
        (fixed, self.share) = (seconds, share)
    }

    /// Training went on for so many seconds, the same on all ranks.
    package mutating func add(_ seconds: Double) { passed += seconds }

    /// True before the first time: what it costs is not known yet.
    package var isDue: Bool { passed >= interval }

    /// It was done, and took so many seconds; those until it is due again count from now.
    package mutating func done(cost: Double) {
        interval = fixed ?? cost / share
        passed = 0
    }

    /// Seconds of training from one time to the next, as far as is known.
    package var seconds: Double { interval }
}
