import MessagePassing

/// When a job is started, waited with, or given up: pure decisions over time, hosts, how the last job ended, and the
/// newest checkpoint.
///
/// The launcher looks at the hosts and the run's directory, asks `decide`, obeys, and tells `ended` of each job. What
/// cannot be cured is not tried again; what may come back is waited for with growing pauses, for `patience` in all; the
/// newest step never goes back unnoticed.
package struct RestartPolicy: Sendable {
    package struct Limits: Sendable {
        /// Starts after a job that ran; jobs that could not be started cost none.
        package var restarts: Int
        /// Seconds before the first restart after a job that came no further.
        package var backoff: Double
        /// Seconds of waiting without progress, in all, before giving up.
        package var patience: Double
        /// Hosts without which a run is not begun or gone on with.
        package var minimumHosts: Int

        package init(restarts: Int, backoff: Double = 1, patience: Double = 600, minimumHosts: Int = 1) {
            (self.restarts, self.backoff, self.patience) = (restarts, backoff, patience)
            self.minimumHosts = minimumHosts
        }
    }

    /// What the launcher sees before a start.
    package struct View: Sendable {
        /// Seconds that only ever grow.
        package var time: Double
        package var run: RunSight
        /// Another job that trains in the directory.
        package var owner: String?
        /// Names of hosts that can take part, and how many are listed.
        package var ready: [String]
        package var listed: Int
        /// A piece that all hosts lack, though all answer.
        package var lackOfAll: String?

        package init(
            time: Double, run: RunSight, owner: String? = nil, ready: [String], listed: Int, lackOfAll: String? = nil
        ) {
            (self.time, self.run, self.owner) = (time, run, owner)
            (self.ready, self.listed, self.lackOfAll) = (ready, listed, lackOfAll)
        }
    }

    package enum Decision: Sendable, Equatable {
        case start
        /// Look at everything again after so many seconds.
        case look(after: Double, because: String)
        case leave(status: Int32, because: String)
    }

    /// Pauses in seconds: the first and the longest for what costs only a look (a host that was killed may be back at once), the
    /// longest before another start.
    static let firstLook = 0.1, longestLook = 30.0, longestPause = 300.0
    /// Jobs in a row that train without coming any further.
    static let mostBarren = 3

    private let limits: Limits
    /// Restarts that were used.
    package private(set) var restarts = 0
    /// The newest checkpoint's step, as far as is known.
    package private(set) var newestStep = 0
    private var hasRun = false
    private var furthestStep = 0
    private var barren = 0
    private var lastEnd: JobEnd?
    private var lastHosts: [String] = []
    private var lookPause = Self.firstLook
    private var startPause: Double
    /// Seconds of waiting since the last progress, but for the waiting that began at `waitingSince`.
    private var waited = 0.0
    private var waitingSince: Double?

    package init(_ limits: Limits) {
        self.limits = limits
        startPause = limits.backoff
    }

    /// What to do now.
    package mutating func decide(_ view: View) -> Decision {
        if waitingSince == nil { waitingSince = view.time }
        if let trouble = trouble(with: view.run) { return wait(view, trouble) }
        if let owner = view.owner { return wait(view, "another job trains in the run's directory (\(owner))") }
        newestStep = view.run.newestStep
        let last = lastEnd?.status ?? LaunchError.Status.unavailable.rawValue
        if view.ready.isEmpty {
            if !hasRun, let lack = view.lackOfAll {
                return .leave(
                    status: LaunchError.Status.configuration.rawValue,
                    because: "no host can take part, and another start cures nothing: every one \(lack)")
            }
            return wait(view, view.lackOfAll.map { "every host \($0)" } ?? "no host can take part")
        }
        if view.ready.count < view.listed, limits.restarts == 0 {
            return .leave(
                status: LaunchError.Status.unavailable.rawValue,
                because: "take these hosts out of the list, or let --restart N leave out what cannot take part")
        }
        if view.ready.count < limits.minimumHosts {
            let asked = "at least \(limits.minimumHosts) are asked for"
            guard view.listed >= limits.minimumHosts else {
                return .leave(
                    status: LaunchError.Status.usage.rawValue, because: "\(view.listed) hosts are listed, \(asked)")
            }
            return wait(view, "\(view.ready.count) of \(view.listed) hosts can take part, \(asked)")
        }
        if let end = lastEnd {
            // The hosts are as they were, and the program refuses: nothing that waiting brings back.
            if end.status == errorExitStatus, end.lastStep == nil, !end.isOutOfSight, view.ready == lastHosts {
                return .leave(
                    status: last,
                    because: "the job ended before its first step with an error that another "
                        + "start does not cure")
            }
            if end.ran {
                guard restarts < limits.restarts else {
                    return .leave(status: last, because: "all \(limits.restarts) restarts are used")
                }
                restarts += 1
            }
        }
        waited += view.time - waitingSince!
        waitingSince = nil
        (lastHosts, lookPause) = (view.ready, Self.firstLook)
        return .start
    }

    /// How the job ended that was started last, and what the directory holds since.
    package mutating func ended(_ end: JobEnd, _ run: RunSight, time: Double) -> Decision {
        waitingSince = time
        lastEnd = end
        hasRun = hasRun || end.began
        if end.status == 0 || end.status == stoppedExitStatus || limits.restarts == 0 {
            return .leave(status: end.status, because: "")
        }
        let newest = max(end.newestStep, run.place == .there ? run.newestStep : 0)
        let hasSaved = newest > newestStep
        // What cannot be seen may have been progress.
        let cameFurther = end.isOutOfSight || end.lastStep.map { $0 > furthestStep } ?? false
        furthestStep = max(furthestStep, end.lastStep ?? 0)
        if hasSaved {
            newestStep = newest
            // Not every step is recorded.
            lastEnd?.lastStep = end.lastStep ?? newest
        }
        if hasSaved || cameFurther {
            (waited, barren) = (0, 0)
            startPause = limits.backoff
            return .look(after: 0, because: "")
        } else if end.lastStep != nil {
            barren += 1
            // An error of the program at the same place is the same error.
            guard barren < (end.status == errorExitStatus ? 1 : Self.mostBarren) else {
                return .leave(
                    status: end.status == errorExitStatus ? end.status : LaunchError.Status.unavailable.rawValue,
                    because:
                        "GIVING UP: \(barren + 1) starts in a row came no further than step \(furthestStep), without "
                        + "a new checkpoint (the newest is step \(newestStep)); the last status was \(end.status)")
            }
        }
        guard waited < limits.patience else { return gaveUp("the job ends before its first step") }
        // An error before the first step is most often one of a host, which the next look names.
        let pause = end.status == errorExitStatus && end.lastStep == nil ? 0 : startPause
        startPause = max(1, min(2 * startPause, Self.longestPause))
        return .look(after: min(pause, limits.patience - waited), because: "")
    }

    /// The job saved and stopped in order to start anew on all hosts that there are, which costs no restart.
    package mutating func renewed(time: Double) {
        (waitingSince, lastEnd, hasRun) = (time, nil, true)
        (waited, barren) = (0, 0)
    }

    /// Why the directory cannot be trained in now; nil where it is as it was left, or further.
    private func trouble(with run: RunSight) -> String? {
        switch run.place {
        case .there, .new: break
        case .gone: return "the run's directory is gone: was it moved, or its file system unmounted?"
        case .replaced: return "another directory is in the place of the run's own: is its file system mounted?"
        case .failing(let reason): return "the run's directory cannot be used: \(reason)"
        }
        // A run that goes on from before a damaged checkpoint sets that aside.
        guard run.newestStep < newestStep, run.setAsideStep < newestStep else { return nil }
        return "the newest checkpoint went back from step \(newestStep) to "
            + (run.newestStep == 0 ? "none" : "step \(run.newestStep)")
            + ": bring it back, or start anew by hand if that is meant"
    }

    private mutating func wait(_ view: View, _ reason: String) -> Decision {
        guard limits.restarts > 0 else {
            return .leave(status: LaunchError.Status.unavailable.rawValue, because: reason)
        }
        let left = limits.patience - waited - (view.time - waitingSince!)
        guard left > 0 else { return gaveUp(reason) }
        defer { lookPause = min(2 * lookPause, Self.longestLook) }
        return .look(after: min(lookPause, left), because: reason)
    }

    private func gaveUp(_ reason: String) -> Decision {
        .leave(
            status: LaunchError.Status.unavailable.rawValue,
            because: "GIVING UP: no progress in \(Int(limits.patience)) s of waiting (--patience): \(reason)")
    }
}
