/// What exchanging messages cost since the start of the run. Counts are exact and equal on all ranks; times are this
/// rank's.
package struct CommunicationStatistics: Sendable, Equatable {
    /// Bytes handed to collectives by this rank. An all-reduce of n bytes over N ranks sends at least 2·(N−1)/N·n.
    package var bytes = 0
    package var collectives = 0
    /// Seconds in which collectives were on their way, waiting for slower ranks included.
    package var seconds = 0.0
    /// The part of `seconds` during which the compute thread could do nothing else.
    package var exposedSeconds = 0.0

    package init() {}
}

/// Seconds that `body` took.
func measured(_ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    let duration = try clock.measure(body)
    return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}
