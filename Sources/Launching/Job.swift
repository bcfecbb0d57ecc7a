import Files
import Glibc
import MessagePassing
import Subprocess
import Synchronization
import SystemPackage
import Threads
import Training

/// One mpirun and all that it starts on this machine: a session of its own, so that a terminal's Ctrl-C reaches the
/// launcher alone.
struct Job: Sendable {
    let words: [String]
    let environment: [String: String]
    /// What its ranks tell.
    let notes: LauncherNotes
    /// Whether its ranks have begun a run, so that there may be something to save; nil while that cannot be seen.
    let hasBegun: @Sendable () -> Bool?
    /// Called when something tells that it is about to end, which may be called off again.
    let mayEnd: @Sendable () -> Void
    let say: @Sendable (String) -> Void

    /// Seconds that mpirun has after its ranks have ended, after they have ended because a host is lost, for which it would
    /// wait, and after SIGTERM. Its daemons end by themselves once it is gone.
    private static let patience = (ranksEnded: 1.5, hostLost: 0.5, terminated: 3.0)

    struct Ending: Sendable {
        /// The exit status; the program's own where mpirun was killed or lost a host.
        let status: Int32
        /// When the ranks were seen to have ended by themselves, in seconds since 1970; nil where they have not.
        let noticed: Double?
        /// Whether it saved and stopped in order to start anew.
        let isRenewal: Bool
    }

    /// Runs it to its end; signals that ask the launcher to stop are handed on meanwhile. A job that has not begun its run
    /// is ended by them: mpirun would take them before it has ranks, and lose them.
    func run() async throws -> Ending {
        try notes.remove()
        var options = PlatformOptions()
        options.createSession = true
        let guarding = Mutex<Task<Watch, Never>?>(nil)
        var overrides: [Subprocess.Environment.Key: String?] = [:]
        for (name, value) in environment { overrides[Subprocess.Environment.Key(rawValue: name)!] = value }
        let result = try await Subprocess.run(
            Command.executable(words[0]), arguments: Command.words(words.dropFirst()),
            environment: .inherit.updating(overrides), platformOptions: options, input: .none,
            output: .currentStandardOutput, error: .currentStandardError
        ) { execution in
            let session = execution.processIdentifier.value
            guarding.withLock { $0 = Task { await watch(session) } }
            return session
        }
        let guardian = guarding.withLock { $0 }
        guardian?.cancel()
        let seen = await guardian?.value ?? Watch()
        // ssh clients of a host that is gone would wait for ever, and hold the launcher's output open.
        Self.kill(session: result.closureResult)
        var status = Command.status(result.terminationStatus)
        if seen.isCalledOff, status != 0 {
            status = stoppedExitStatus
        } else if status >= 128 || status == 1, let own = noted {
            status = own
        }
        return Ending(
            status: status, noticed: seen.ranksEnded, isRenewal: seen.renews && status == stoppedExitStatus)
    }

    /// The program's own status, if it noted one.
    private var noted: Int32? {
        do { return try notes.endStatus() } catch {
            say("the status that the ranks noted cannot be read: \(error)")
            return nil
        }
    }

    /// What was seen and done while it ran.
    private struct Watch {
        /// Whether a signal was handed on.
        var hasAsked = false
        /// Whether a signal ended it before it had begun.
        var isCalledOff = false
        var renews = false
        /// In seconds since 1970.
        var ranksEnded: Double?
    }

    /// Hands signals on, and ends an mpirun that waits for a host that is gone.
    private func watch(_ session: pid_t) async -> Watch {
        var seen = Watch(), terminated: Double?, impatience: Double?, signs = 0, looks = 0, isKilled = false
        while await Self.sleep(0.1) {
            let now = SystemClock().monotonic
            looks += 1
            // A network file system remembers for long that there were no notes.
            if looks.isMultiple(of: 10) { notes.lookAnew() }
            heedSignals(session, &seen)
            if seen.isCalledOff || StopSignals.insists, terminated == nil {
                terminated = now
                Glibc.kill(session, SIGTERM)
            }
            let isHostSilent = notes.saysSilence
            if impatience == nil, notes.saysEnd {
                impatience = now + (isHostSilent ? Self.patience.hostLost : Self.patience.ranksEnded)
                seen.ranksEnded = SystemClock().wall
            }
            // Each is news once, and again where a host was heard meanwhile.
            let signsNow = [seen.renews, impatience != nil, isHostSilent].count { $0 }
            if signsNow > signs { mayEnd() }
            signs = signsNow
            if let terminated, now - terminated > Self.patience.terminated { Self.kill(session: session) }
            if let impatience, now > impatience {
                if !isKilled { say("the ranks have ended, but mpirun waits for a host that is gone: it is killed") }
                isKilled = true
                // Until it is gone, which ends this task.
                Self.kill(session: session)
            }
        }
        return seen
    }

    private func heedSignals(_ session: pid_t, _ seen: inout Watch) {
        if let signal = StopSignals.asked, !seen.hasAsked {
            seen.hasAsked = true
            seen.isCalledOff = hasBegun() == false
            say(
                seen.isCalledOff
                    ? "\(signal): the job is ended before its first step: nothing is lost"
                    : "\(signal): the run saves and stops; once more ends it at once")
            // mpirun hands SIGUSR1 on to all ranks; of SIGTERM it leaves them one second. Those that save already, in order to
            // start anew, would take another one for the wish to end at once.
            if !seen.isCalledOff, !seen.renews { Glibc.kill(session, SIGUSR1) }
        }
        // A run that has not begun takes all hosts in by itself, or is asked once it has.
        if StopSignals.asksForRenewal, !seen.hasAsked, !seen.renews, hasBegun() == true {
            seen.renews = true
            say("SIGUSR2: the run saves, and starts anew on all hosts that can take part")
            Glibc.kill(session, SIGUSR1)
        }
    }

    /// Whether the time passed; not so where this task was cancelled.
    private static func sleep(_ seconds: Double) async -> Bool {
        do {
            try await Task.sleep(for: .seconds(seconds))
            return true
        } catch {
            return false
        }
    }

    /// Kills all processes of a session on this machine.
    private static func kill(session: pid_t) {
        // mpirun leads a group of its own, to reach which nothing need be opened.
        Glibc.kill(-session, SIGKILL)
        // Those that have left the group. A process may end while it is looked at.
        let names = (try? FileSystem.names(in: "/proc")) ?? []
        for process in names.compactMap({ pid_t($0.text) }) where getsid(process) == session {
            Glibc.kill(process, SIGKILL)
        }
    }
}
