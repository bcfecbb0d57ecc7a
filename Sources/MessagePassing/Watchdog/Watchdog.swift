import CStacks
import Files
import Glibc
import Synchronization
package import SystemPackage
import Threads

/// Ends a job that no longer moves on, and says who is missing from what.
///
/// A thread of its own in every rank, apart from MPI: it works while MPI waits for ever. Every rank tells rank zero over
/// TCP twice a second in which phase it is, for how long without progress, and at which numbered collective. When a rank
/// exceeds a phase's limit, falls silent or dies, rank zero names the missing ranks and the collective, has every rank
/// write its latest collectives and the stacks of its threads to the report directory, and all leave with
/// `hungExitStatus`. A rank that hears nothing from rank zero ends by itself.
package final class Watchdog: Sendable {
    private struct State {
        var phase = Phase.start
        var detail = ""
        var progress = ContinuousClock.now
        var limits = WatchdogLimits()
        var reports: WatchdogReports?
        var rank = 0
        var host = ""
        var hostOfRoot = ""
        var server: HeartbeatServer?
        var client: HeartbeatClient?
        var longestSilence = 0.0
        var isStopped = false
    }

    private let state: Mutex<State>
    private let program: String
    private let hasEnded = Atomic(false)
    private let silence: SilenceNote

    /// Seconds between two looks.
    private static let tick = 0.1
    /// A longer time between two looks is one in which this process, or all of its host, stood still.
    private static let standstill = 1.0
    /// What MPI may take to start, in seconds: the configuration is not known yet.
    private static let startOfMPI = 300.0

    /// - Throws: `ThreadError` where the system gives it no thread.
    init(program: String) throws {
        self.program = program
        silence = SilenceNote { reason in
            _ = StandardError.write(
                "\(program): warning: launchers look for silent hosts only once the job has ended: \(reason)\n")
        }
        state = Mutex(State())
        state.withLock {
            $0.limits.start = Self.startOfMPI
            $0.detail = "starting MPI"
        }
        cstacks_prepare()
        try SystemThread("watchdog") { [self] in
            SystemThread.preferThisThread()
            watch()
        }.detach()
    }

    // MARK: What the job tells it

    /// Sets the limits, and where reports go: a directory that is made when there is something to report.
    package func configure(_ limits: WatchdogLimits, reports directory: FilePath) {
        state.withLock {
            $0.limits = limits
            $0.reports = WatchdogReports(directory: directory)
        }
    }

    /// A phase begins, which is progress. `detail` says more of it, such as `step 12`.
    package func begin(_ phase: Phase, _ detail: String = "") {
        state.withLock {
            $0.phase = phase
            $0.detail = detail
            $0.progress = .now
        }
    }

    /// The phase goes on, and has made progress.
    package func advance() { state.withLock { $0.progress = .now } }

    /// Connects all ranks with rank zero. A rank that cannot is named in a warning; its limits still hold. Collective.
    func connect(_ world: Communicator, hostName: String) throws {
        let hosts = try world.allGather(hostName)
        state.withLock {
            $0.rank = world.rank
            $0.host = hostName
            $0.hostOfRoot = hosts[0]
            $0.limits.start = WatchdogLimits().start
            $0.phase = .start
            $0.progress = .now
            $0.detail = ""
        }
        guard world.size > 1 else { return }
        var invitation = ""
        if world.isRoot, let server = HeartbeatServer(hosts: hosts) {
            invitation = server.invitation
            state.withLock { $0.server = server }
        }
        invitation = try world.broadcast(invitation)
        if !world.isRoot, let client = HeartbeatClient(invitation: invitation, rank: world.rank) {
            state.withLock { $0.client = client }
        }
        let isConnected = state.withLock { $0.server != nil || $0.client != nil }
        let all = try world.gather([UInt8(isConnected ? 1 : 0)])
        let unreachable = all.indices.filter { all[$0] == [0] }.map { "\($0) (\(hosts[$0]))" }
        if !unreachable.isEmpty {
            StandardError.write(
                line:
                    "\(program): warning: the watchdog cannot reach rank 0 from rank \(unreachable.joined(separator: ", ")) "
                    + "over TCP (\(invitation.split(separator: " ").dropFirst().joined(separator: ", "))): if one of "
                    + "them hangs, it will be missed but not named; let the hosts' firewalls pass TCP among them")
        }
    }

    /// The longest that rank zero heard nothing from any rank that it heard again, in seconds; 0 on other ranks.
    package var longestSilence: Double { state.withLock { $0.longestSilence } }

    /// Leaves a note that the job is over, for launchers (see `LauncherNotes`). Waits two seconds at most.
    func noteEnd(status: Int32) {
        guard let reports = state.withLock({ $0.reports }) else { return }
        if let reason = WatchdogReports.attempt(seconds: 2, { try reports.notes.noteEnd(status: status) }) {
            StandardError.write(line: "\(program): warning: launchers cannot be told of the job's end: \(reason)")
        }
    }

    /// The job has left MPI: returns once the thread has said farewell.
    func stop() {
        state.withLock { $0.isStopped = true }
        for _ in 0..<200 where !hasEnded.load(ordering: .acquiring) { usleep(5_000) }
    }

    // MARK: Its thread

    private func watch() {
        var last = ContinuousClock.now
        var suspected: ContinuousClock.Instant?
        while true {
            let own = heartbeat()
            let (server, client, isStopped) = state.withLock { ($0.server, $0.client, $0.isStopped) }
            if isStopped {
                client?.sayFarewell()
                hasEnded.store(true, ordering: .releasing)
                return
            }
            var order: String?
            if let server {
                server.hear(own, seconds: Self.tick)
                state.withLock { $0.longestSilence = server.table.longestSilence }
            } else if let client {
                order = client.beat(own, seconds: Self.tick)
            } else {
                usleep(useconds_t(Self.tick * 1e6))
            }
            let now = ContinuousClock.now, gap = now - last
            last = now
            if gap.inSeconds > Self.standstill { forgive(gap, server, client) }
            if own.phase == .abort {
                if own.isExpired { _exit(errorExitStatus) }
                continue
            }
            if let order { end(report: order) }
            noteSilence(server, client, now)
            guard let alarm = alarm(own, server, client, now) else {
                suspected = nil
                continue
            }
            // Others' heartbeats shall be of the same moment, and who has fallen silent shall show.
            let since = suspected ?? now
            suspected = since
            if alarm.isFinal || (now - since).inSeconds > RankTable.noticeableSilence + 1 {
                conclude(alarm.reason, server, now)
            }
        }
    }

    private func heartbeat() -> Heartbeat {
        state.withLock {
            let seconds = (ContinuousClock.now - $0.progress).inSeconds
            return Heartbeat(
                rank: $0.rank, host: $0.host, phase: $0.phase, detail: $0.detail, seconds: seconds,
                isExpired: $0.limits.seconds($0.phase).map { seconds > $0 } ?? false,
                positions: Heartbeat.positions(of: .shared))
        }
    }

    /// This process was stopped for a while (a suspended job): that time counts for nobody.
    private func forgive(_ gap: Duration, _ server: HeartbeatServer?, _ client: HeartbeatClient?) {
        state.withLock { $0.progress += gap }
        server?.forgive(gap)
        client?.forgive(gap)
    }

    /// Launchers ask the hosts before the job has ended.
    private func noteSilence(
        _ server: HeartbeatServer?, _ client: HeartbeatClient?, _ now: ContinuousClock.Instant
    ) {
        let (reports, root) = state.withLock { ($0.reports, $0.hostOfRoot) }
        guard let reports else { return }
        let isRootSilent = client?.isRootSilent(now: now) ?? false
        silence.tell(server?.table.silentHosts(now: now) ?? (isRootSilent ? [root] : []), in: reports.notes)
    }

    private func alarm(
        _ own: Heartbeat, _ server: HeartbeatServer?, _ client: HeartbeatClient?, _ now: ContinuousClock.Instant
    ) -> Alarm? {
        let (limits, root) = state.withLock { ($0.limits, $0.hostOfRoot) }
        if let server { return server.table.alarm(limits, now: now) }
        if let client {
            if own.phase == .finish && !own.isExpired { return nil }
            return client.alarm(limits, host: root, isExpired: own.isExpired, now: now)
        }
        guard own.isExpired else { return nil }
        return Alarm(
            "no progress for \(Int(own.seconds)) s in phase \(own.phase.rawValue)"
                + (own.detail.isEmpty ? "" : " (\(own.detail))") + ", more than the "
                + "\(limits.seconds(own.phase)!.shortText) s allowed", isFinal: false)
    }

    // MARK: The end

    private func conclude(_ reason: String, _ server: HeartbeatServer?, _ now: ContinuousClock.Instant) -> Never {
        let report = "hang-\(time(nil))"
        let (rank, host) = state.withLock { ($0.rank, $0.host) }
        var text = "\(program): error: watchdog: \(reason)"
        if let server {
            text += "\n" + server.table.report(now: now)
        } else if !host.isEmpty {
            text = "\(program): error: watchdog on rank \(rank) (\(host)): \(reason)"
        }
        let place = state.withLock { $0.reports } ?? .elsewhere
        StandardError.write(
            line: text + "\nthe latest collectives and the stacks of all ranks are in "
                + place.directory.appending(report).shown + "\nthe job ends with status \(hungExitStatus)")
        server?.sayEnd(report)
        end(report: report, words: text)
    }

    /// Writes this rank's part of the report, for at most five seconds.
    private func end(report: String, words: String? = nil) -> Never {
        let (rank, host, reports) = state.withLock { ($0.rank, $0.host, $0.reports) }
        let reason = WatchdogReports.attempt(seconds: 5) {
            // A launcher need not wait for what people read later.
            let noted = Result { try reports?.notes.noteEnd(status: hungExitStatus) }
            try (reports ?? .elsewhere).write(report, rank: rank, host: host, words: words)
            try noted.get()
        }
        if let reason {
            StandardError.write(
                line: "\(program): error: watchdog on rank \(rank) (\(host)): its report could not be written: "
                    + reason)
        }
        _exit(hungExitStatus)
    }
}
