/// What a job is doing, as far as limits on its time go.
package enum Phase: String, Sendable, CaseIterable {
    /// From the start of MPI to the first step: listing images, loading a checkpoint.
    case start
    case step
    /// Waiting for a checkpoint to be written.
    case save
    case evaluate
    /// Anything else that may take any time; only ranks that fall silent end it.
    case other
    /// Leaving MPI.
    case finish
    /// Ending the job after an error.
    case abort
}

/// How long a rank may make no progress before the job is ended, in seconds; 0 waits for ever.
package struct WatchdogLimits: Sendable, Equatable {
    package var start = 1800.0
    package var step = 600.0
    package var save = 1800.0
    package var evaluate = 3600.0
    /// How long nothing may be heard from a rank: its process is stopped, or its host or network is down.
    package var silence = 4.0

    package init() {}

    /// Nil for no limit.
    func seconds(_ phase: Phase) -> Double? {
        let limit =
            switch phase {
            case .start: start
            case .step: step
            case .save: save
            case .evaluate: evaluate
            case .other: 0.0
            case .finish: 60.0
            case .abort: 10.0
            }
        return limit > 0 ? limit : nil
    }
}
