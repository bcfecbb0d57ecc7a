import DataParallel
import Files
import MessagePassing
import SystemPackage
import Training

/// What mpirun is given.
extension Launcher {
    /// - Parameter hasBegun: whether a job of this launcher has begun the run, which goes on then.
    func plan(_ preflight: Preflight, _ before: RunSight, hasBegun: Bool) throws -> JobPlan {
        var resumed = configuration
        if hasBegun { resumed.checkpoint.resume = .auto }
        // Where there is nothing to go on from, how a dead start was cut binds nobody.
        let kept = max(before.newestStep, preflight.memoryStep) > 0 ? try resumed.microBatchesKept() : nil
        let plan = try JobPlan(ready: preflight.ready, perHost: options.ranksPerHost) {
            try BatchPlan.mostRanks(configuration, available: $0, microBatches: kept)
        }
        if plan.ranks < plan.available {
            log.say("the global batch has too few images for \(plan.available) ranks: \(plan.ranks) of them are used")
        }
        return plan
    }

    /// - Parameters:
    ///   - launcher: the name that ranks use in notes; nil where the words are for people.
    ///   - resume: what `checkpoint.resume` is instead of what the arguments say; nil for that.
    func words(
        _ plan: JobPlan, hostFile: FilePath, _ asking: PreflightCommand, launcher: String?,
        resume: RunConfiguration.ResumeMode?
    ) -> [String] {
        var arguments = arguments
        if let resume {
            // The last of several counts.
            arguments.insert(
                contentsOf: ["--set", "checkpoint.resume=\(resume.rawValue)"],
                at: arguments.firstIndex(of: "--") ?? arguments.endIndex)
        }
        return plan.words(
            JobPlan.Line(
                hostFile: hostFile, agent: asking.agent, interface: options.interface,
                hasLibraryPath: Environment.value("LD_LIBRARY_PATH") != nil, launcher: launcher,
                program: options.program, arguments: arguments, dialect: asking.starter.dialect))
    }

    /// A run with a checkpoint is never begun anew, and one that this launcher has begun goes on.
    func resume(newestStep: Int, hasBegun: Bool) -> RunConfiguration.ResumeMode? {
        switch configuration.checkpoint.resume {
        case .required: nil
        case .auto: newestStep > 0 ? .required : nil
        case .never: !hasBegun ? nil : newestStep > 0 ? .required : .auto
        }
    }

    /// Prints the line for the hosts that answer; looks at nothing but them, and makes nothing.
    func dryRun(_ hosts: [ListedHost], _ asking: PreflightCommand) async throws -> Int32 {
        let preflight = await asking.ask(hosts, HostQuestion(), newestStep: 0)
        for reason in preflight.reasons { log.say(reason) }
        if preflight.ready.isEmpty || !preflight.missing.isEmpty && options.restart.restarts == 0 {
            return leave(
                LaunchError.Status.unavailable.rawValue,
                "take these hosts out of the list, or let --restart N leave out what cannot take part")
        }
        let file = RunSight.folder(directory).appending("hosts")
        print(
            words(
                try plan(preflight, RunSight(directory, mark: nil), hasBegun: false), hostFile: file, asking,
                launcher: nil, resume: nil
            )
            .map(Command.quoted).joined(separator: " "))
        return 0
    }
}
