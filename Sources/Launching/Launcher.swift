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

    let options: Options
    let configuration: RunConfiguration
    let arguments: [String]
    let directory: FilePath
    let log = LauncherLog()
    let clock = SystemClock()
    let early = EarlyLook()
    /// By which its ranks know it.
    let name = String(UInt64.random(in: .min ... .max), radix: 36)
    let notes: LauncherNotes

    /// Begins to listen to signals; to be called on the main thread, before any other is there.
    ///
    /// - Parameter arguments: what `pixpro train` is given, from which `configuration` was read.
    package init(_ options: Options, configuration: RunConfiguration, arguments: [String]) {
        (self.options, self.configuration, self.arguments) = (options, configuration, arguments)
        directory = FileSystem.absolute(configuration.run.directory)
        notes = LauncherNotes(directory: RunDirectory(directory).watchdog, launcher: name)
        if !options.isDryRun { StopSignals.install() }
    }

    /// Until the schedule is done, the run was asked to stop, or nothing more can be done; returns the exit status.
    package func run() async -> Int32 {
        let status: Int32
        do { status = try await supervise() } catch { status = Self.refuse(error) }
        // Those that stay mislead nobody: they have this launcher's name.
        if !options.isDryRun { try? notes.remove() }
        return status
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
            starts = 0, hasBegun = false, fault: Recovery.Fault?, lost: Set<String> = []
        while true {
            StopSignals.forgetRenewal()
            let preflight = try await look(
                hosts, asking, &mark, newestStep: policy.newestStep,
                AnswerPatience(
                    isUrgent: fault != nil, unanswered: Set(last.missing.map(\.host.name)), lost: lost))
            // Once they were not there they are as others that were not.
            lost = []
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
                let end: JobEnd
                do {
                    end = try await start(
                        preflight, asking, question(mark), number: starts, view.run, hasBegun: hasBegun, after: fault
                    ) { [self, hosts, question = question(mark), newestStep = policy.newestStep] isNeeded in
                        await lookEarly(source, hosts, asking, question, newestStep, preflight, isNeeded)
                    }
                } catch let error as FileError where options.restart.restarts > 0 {
                    // Before mpirun runs; a directory that is out of sight when it is looked at is waited for, too.
                    log.sayOnce("the job cannot be started: \(error)")
                    end = JobEnd(status: LaunchError.Status.unavailable.rawValue, began: false)
                }
                hasBegun = hasBegun || end.began
                if StopSignals.asked != nil, end.status != 0 { return end.status }
                hosts = await list(source, before: hosts)
                lost = silentHosts
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

    /// Asks all hosts, unless that was done while the last job ended. The first time the run's directory is made here, and
    /// marked for them.
    private func look(
        _ hosts: [ListedHost], _ asking: PreflightCommand, _ mark: inout String?, newestStep: Int,
        _ patience: AnswerPatience
    ) async throws -> Preflight {
        let isFirst = mark == nil
        if isFirst {
            mark = try RunSight.marked(directory)
            try log.open(directory)
        } else {
            // The policy finds out what is wrong with the directory; until then the log is on the console alone.
            do { try log.open(directory) } catch { log.sayOnce("the launcher's log cannot be opened: \(error)") }
        }
        let sight = RunSight(directory, mark: mark)
        // Where it is not even here, the policy waits for it.
        let own = question(sight.place == .there ? mark : nil)
        let known = await early.answers(of: hosts, now: clock.monotonic)
        let preflight: Preflight
        if let known, sight.place == .there {
            preflight = known
        } else {
            preflight = await asking.ask(
                hosts, own, newestStep: max(newestStep, sight.newestStep), patience: patience)
        }
        if isFirst { sayWhereItBegins(sight.newestStep, preflight.memoryStep) }
        for reason in preflight.reasons { log.sayOnce(reason) }
        for note in preflight.clockNotes(now: clock.wall) { log.note(note) }
        return preflight
    }

    /// Asks all hosts while a job is still ending.
    private func lookEarly(
        _ source: HostSource, _ before: [ListedHost], _ asking: PreflightCommand, _ question: HostQuestion,
        _ newestStep: Int, _ last: Preflight, _ isNeeded: @escaping EarlyLook.Need
    ) async -> EarlyLook.Answers {
        // A list that cannot be read is told of once the job has ended.
        let hosts = (try? await source.hosts()) ?? before
        let patience = AnswerPatience(
            isUrgent: true, unanswered: Set(last.missing.map(\.host.name)), lost: silentHosts)
        let newest = max(newestStep, RunSight(directory, mark: question.mark).newestStep)
        return EarlyLook.Answers(
            hosts: hosts,
            preflight: await asking.ask(hosts, question, newestStep: newest, patience: patience, isNeeded: isNeeded))
    }

    /// Hosts that have fallen silent in the job, as its ranks have noted.
    private var silentHosts: Set<String> {
        do { return try notes.silentHosts() } catch {
            log.sayOnce("all hosts are waited for alike: \(error)")
            return []
        }
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
    func question(_ mark: String?) -> HostQuestion {
        HostQuestion(
            runDirectory: mark == nil ? nil : directory, mark: mark,
            memory: configuration.checkpoint.memorySeconds == 0 ? nil : configuration.checkpoint.memoryDirectory,
            roots: configuration.data.roots.map(FileSystem.absolute))
    }

    private func view(_ preflight: Preflight, _ mark: String?, _ listed: Int) -> RestartPolicy.View {
        var run = RunSight(directory, mark: mark)
        if run.place == .there, let refusal = RunSight.refusal(of: directory) { run.place = .failing(refusal) }
        return RestartPolicy.View(
            time: clock.monotonic, run: run,
            owner: options.restart.restarts > 0 ? RunLock.holder(of: directory) : nil,
            ready: preflight.ready.map(\.host.name), listed: listed, lackOfAll: preflight.lackOfAll?.description)
    }

    func leave(_ status: Int32, _ reason: String) -> Int32 {
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
