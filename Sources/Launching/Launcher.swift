import DataParallel
import Files
import MessagePassing
import Settings
package import SystemPackage
import Threads
package import Training

/// Starts a run on the hosts of a list and keeps it going: looks, asks the policy, obeys.
package final class Launcher: Sendable {
    package struct Options: Sendable {
        package var hosts: FilePath?
        package var ranksPerHost: Int?
        package var interface: String?
        package var restart: RestartPolicy.Limits
        package var agent: String
        /// The program on every host.
        package var program: FilePath
        package var isDryRun: Bool

        /// - Parameter program: nil for this program.
        package init(
            hosts: FilePath?, ranksPerHost: Int?, interface: String?, restart: RestartPolicy.Limits, agent: String,
            program: FilePath?, isDryRun: Bool
        ) {
            (self.hosts, self.ranksPerHost, self.interface) = (hosts, ranksPerHost, interface)
            (self.restart, self.agent, self.program, self.isDryRun) =
                (restart, agent, program ?? Environment.program, isDryRun)
        }
    }

    private let options: Options
    private let configuration: RunConfiguration
    private let arguments: [String]
    private let directory: FilePath
    private let log = LauncherLog()
    private let clock = SystemClock()

    /// Begins to listen to signals; to be called on the main thread, before any other is there.
    ///
    /// - Parameter arguments: what `pixpro train` is given, from which `configuration` was read.
    package init(_ options: Options, configuration: RunConfiguration, arguments: [String]) {
        (self.options, self.configuration, self.arguments) = (options, configuration, arguments)
        directory = FileSystem.absolute(configuration.run.directory)
        if !options.isDryRun { StopSignals.install() }
    }

    /// Until the schedule is done, the run was asked to stop, or nothing more can be done; returns the exit status.
    package func run() async -> Int32 {
        do { return try await supervise() } catch { return Self.refuse(error) }
    }

    /// Says why nothing can be started; returns the exit status.
    package static func refuse(_ error: any Error) -> Int32 {
        LauncherLog.print("\(error)")
        return ((error as? LaunchError)?.status ?? .configuration).rawValue
    }

    private func supervise() async throws -> Int32 {
        let starter = try await JobStarter.fitting(.ofThisProcess)
        let source = try HostSource(file: options.hosts, environment: Environment.all)
        var hosts = try await source.hosts()
        // In cluster/run the hosts are reached by its own agent.
        let agent = options.agent == "ssh" ? Environment.agent ?? "ssh" : options.agent
        let build = try HostFacts.ofThisHost(HostQuestion()).build
        let asking = PreflightCommand(
            way: source.isSlurm ? .slurm : .agent(agent), program: options.program, starter: starter, build: build,
            thisHost: Environment.hostName)
        if options.isDryRun { return try await dryRun(hosts, asking) }
        var last = Preflight([]), policy = RestartPolicy(options.restart), mark = try RunSight.mark(of: directory),
            starts = 0, fault: Recovery.Fault?
        while true {
            StopSignals.forgetRenewal()
            let preflight = try await look(
                hosts, asking, &mark, newestStep: policy.newestStep, after: last, isUrgent: fault != nil)
            if StopSignals.asked != nil { return stoppedExitStatus }
            for note in preflight.memoryNotes(since: last) { log.say(note) }
            last = preflight
            let view = view(preflight, mark, hosts.count)
            switch policy.decide(view) {
            case .leave(let status, let reason): return leave(status, reason)
            case .look(let seconds, let reason):
                log.sayOnce("waiting: \(reason)")
                if await pause(seconds) { return stoppedExitStatus }
            case .start:
                starts += 1
                if policy.restarts > 0 { log.say("restart \(policy.restarts) of \(options.restart.restarts)") }
                let end = try await start(preflight, asking, question(mark), number: starts, view.run, after: fault)
                if StopSignals.asked != nil, end.status != 0 { return end.status }
                hosts = await list(source, before: hosts)
                fault = end.fault ?? fault
                if end.isRenewal {
                    policy.renewed(time: clock.monotonic)
                    continue
                }
                switch policy.ended(end, RunSight(directory, mark: mark), time: clock.monotonic) {
                case .leave(let status, let reason): return leave(status, reason)
                case .look(let seconds, _):
                    if seconds > 0 { log.say("the hosts are looked at again in \(Int(seconds.rounded(.up))) s") }
                    if await pause(seconds) { return stoppedExitStatus }
                case .start: break
                }
            }
        }
    }

    // MARK: Before a start

    /// The list may have been changed since; of one that cannot be read the earlier state goes on.
    private func list(_ source: HostSource, before: [ListedHost]) async -> [ListedHost] {
        do { return try await source.hosts() } catch {
            log.sayOnce("\(error); the hosts that were listed before are asked")
            return before
        }
    }

    /// Asks all hosts. The first time the run's directory is made here, and marked for them.
    ///
    /// - Parameters:
    ///   - last: what the last look found.
    ///   - isUrgent: whether a run stands still that has trained.
    private func look(
        _ hosts: [ListedHost], _ asking: PreflightCommand, _ mark: inout String?, newestStep: Int,
        after last: Preflight, isUrgent: Bool
    ) async throws -> Preflight {
        let isFirst = mark == nil
        if isFirst {
            mark = try RunSight.marked(directory)
            try log.open(directory)
        } else if (try? log.open(directory)) == nil {
            // The policy finds out what is wrong with the directory; until then the log is on the console alone.
            log.sayOnce("the launcher's log cannot be opened in \(directory.shown)")
        }
        let sight = RunSight(directory, mark: mark)
        // Where it is not even here, the policy waits for it.
        let preflight = await asking.ask(
            hosts, question(sight.place == .there ? mark : nil), newestStep: max(newestStep, sight.newestStep),
            isUrgent: isUrgent, silent: Set(last.missing.map(\.host.name)))
        if isFirst { sayWhereItBegins(sight.newestStep, preflight.memoryStep) }
        for reason in preflight.reasons { log.sayOnce(reason) }
        for note in preflight.clockNotes(now: clock.wall) { log.note(note) }
        return preflight
    }

    private func sayWhereItBegins(_ onDisk: Int, _ inMemory: Int) {
        log.say(
            inMemory > onDisk
                ? "the run goes on from step \(inMemory), where all of it is left in the memory of its hosts"
                : onDisk > 0
                    ? "the run goes on from step \(onDisk) in \(directory.shown)"
                    : "a new run, from step 0: \(directory.shown) holds no checkpoint")
    }

    /// - Parameter mark: of the run's directory; nil where nobody shall look for it.
    private func question(_ mark: String?) -> HostQuestion {
        HostQuestion(
            runDirectory: mark == nil ? nil : directory, mark: mark,
            memory: configuration.checkpoint.memorySeconds == 0 ? nil : configuration.checkpoint.memoryDirectory,
            roots: configuration.data.roots.map(FileSystem.absolute))
    }

    private func view(_ preflight: Preflight, _ mark: String?, _ listed: Int) -> RestartPolicy.View {
        RestartPolicy.View(
            time: clock.monotonic, run: RunSight(directory, mark: mark),
            owner: options.restart.restarts > 0 ? RunLock.holder(of: directory) : nil,
            ready: preflight.ready.map(\.host.name), listed: listed, lackOfAll: preflight.lackOfAll?.description)
    }

    private func plan(_ preflight: Preflight) throws -> JobPlan {
        let kept = try configuration.microBatchesKept()
        let plan = try JobPlan(ready: preflight.ready, perHost: options.ranksPerHost) {
            try BatchPlan.mostRanks(configuration, available: $0, microBatches: kept)
        }
        if plan.ranks < plan.available {
            log.say("the global batch has too few images for \(plan.available) ranks: \(plan.ranks) of them are used")
        }
        return plan
    }

    /// - Parameter isBegun: a run with a checkpoint, which the program then never begins anew either.
    private func words(_ plan: JobPlan, hostFile: FilePath, _ asking: PreflightCommand, isBegun: Bool) -> [String] {
        plan.words(
            JobPlan.Line(
                hostFile: hostFile, agent: asking.agent, interface: options.interface,
                hasLibraryPath: Environment.value("LD_LIBRARY_PATH") != nil, program: options.program,
                arguments: (isBegun ? ["--set", "checkpoint.resume=required"] : []) + arguments,
                dialect: asking.starter.dialect))
    }

    /// Prints the line for the hosts that answer; looks at nothing but them, and makes nothing.
    private func dryRun(_ hosts: [ListedHost], _ asking: PreflightCommand) async throws -> Int32 {
        let preflight = await asking.ask(hosts, HostQuestion(), newestStep: 0, isUrgent: false)
        for reason in preflight.reasons { log.say(reason) }
        if preflight.ready.isEmpty || !preflight.missing.isEmpty && options.restart.restarts == 0 {
            return leave(
                LaunchError.Status.unavailable.rawValue,
                "take these hosts out of the list, or let --restart N leave out what cannot take part")
        }
        let file = RunSight.folder(directory).appending("hosts")
        print(
            words(try plan(preflight), hostFile: file, asking, isBegun: false).map(Command.quoted).joined(
                separator: " "))
        return 0
    }

    // MARK: A job

    private func start(
        _ preflight: Preflight, _ asking: PreflightCommand, _ question: HostQuestion, number: Int, _ before: RunSight,
        after fault: Recovery.Fault?
    ) async throws -> JobEnd {
        let plan = try plan(preflight), missing = preflight.missing.count
        // Kept with the run: temporary folders are cleared of what has aged.
        let hostFile = RunSight.folder(directory).appending("hosts")
        try WholeFile.write(plan.hostFile, to: hostFile)
        log.note(
            "start \(number) on \(plan.summary)\(plan.isBySocket ? ", one rank a socket" : ""), from step "
                + "\(max(before.newestStep, preflight.memoryStep))")
        for line in preflight.ready.compactMap(\.equipment) { log.note(line) }
        log.forget()
        if missing > 0 { log.say("going on without \(missing) of \(preflight.findings.count) hosts") }
        let files = RunDirectory(directory), glance = MetricsGlance(files.metrics), begin = clock.monotonic
        let job = Job(
            words: words(
                plan, hostFile: hostFile, asking,
                isBegun: before.newestStep > 0 && configuration.checkpoint.resume == .auto),
            environment: Environment.forMPI,
            ended: files.watchdog.appending("ended"),
            hasBegun: { MetricsGlance(files.metrics).since(glance).start != nil },
            say: { [log] in log.say($0) })
        let returning = Task { [log] in await asking.sayWhoReturns(preflight.missing, question) { log.say($0) } }
        let seen = Watermark(before.newestStep), directory = directory
        let watching = Task { await seen.watch(directory, question.mark) }
        let telling = Task { await tell(of: fault, files.history) }
        let ending = try await job.run(), status = ending.status, ended = clock.wall
        RunEvent.noteEnd(of: files, status: status)
        for task in [returning, watching, telling] { task.cancel() }
        let done = MetricsGlance(files.metrics).since(glance)
        var end = JobEnd(
            status: status, began: done.start != nil, lastStep: done.lastStep, newestStep: seen.step,
            seconds: clock.monotonic - begin, isRenewal: ending.isRenewal)
        if let step = done.lastStep, let time = done.lastTime {
            end.fault = Recovery.Fault(lastSign: time, lastStep: step, noticed: ending.noticed, ended: ended)
        }
        if status != 0 && status != stoppedExitStatus { log.say("the job ended with status \(status): \(end.meaning)") }
        log.note(cost(end, plan, before, number))
        return end
    }

    /// Says what a fault has cost once the run is back, and does nothing where there was none; until the task is cancelled.
    private func tell(of fault: Recovery.Fault?, _ history: FilePath) async {
        guard let fault else { return }
        let started = clock.wall, known = (try? RunEvent.read(history).count) ?? 0
        while true {
            do { try await Task.sleep(for: .milliseconds(250)) } catch { return }
            // A history that is out of sight is looked at again.
            guard let events = try? RunEvent.read(history),
                let recovery = Recovery(after: fault, started: started, history: events, known: known)
            else { continue }
            return log.say(recovery.text)
        }
    }

    /// What a start was worth.
    private func cost(_ end: JobEnd, _ plan: JobPlan, _ before: RunSight, _ number: Int) -> String {
        let hostHours = end.seconds * Double(plan.hosts.count) / 3600
        let newest = RunSight(directory, mark: nil).newestStep
        let steps = end.lastStep.map { "trained to step \($0)" } ?? "no step trained"
        return "start \(number) ended with status \(end.status) after \(TimeText.duration(end.seconds)), "
            + "\((hostHours * 100).rounded() / 100) host hours: \(steps) from step \(before.newestStep); the newest "
            + "checkpoint on disk is step \(newest)"
    }

    private func leave(_ status: Int32, _ reason: String) -> Int32 {
        if !reason.isEmpty { log.say(reason) }
        return status
    }

    /// Whether a signal asked to stop meanwhile.
    private func pause(_ seconds: Double) async -> Bool {
        let end = clock.monotonic + seconds
        while StopSignals.asked == nil, clock.monotonic < end {
            // A launcher's own task is never cancelled.
            try? await Task.sleep(for: .milliseconds(100))
        }
        return StopSignals.asked != nil
    }
}
