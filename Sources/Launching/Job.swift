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
    /// The file in which the program notes its status when it ends its ranks.
    let ended: FilePath
    /// Whether its ranks have begun a run, so that there may be something to save.
    let hasBegun: @Sendable () -> Bool
    let say: @Sendable (String) -> Void

    /// Seconds that mpirun has after its ranks have ended, and after SIGTERM.
    private static let patience = (ranksEnded: 15.0, terminated: 3.0)

    /// Runs it to its end; signals that ask the launcher to stop are handed on meanwhile. A job that has not begun its run
    /// is ended by them: mpirun would take them before it has ranks, and lose them.
    ///
    /// - Returns: the exit status; the program's own where mpirun was killed or lost a host.
    func run() async throws -> Int32 {
        try FileSystem.remove(ended)
        var options = PlatformOptions()
        options.createSession = true
        let guarding = Mutex<Task<Bool, Never>?>(nil)
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
        let isCalledOff = await guardian?.value ?? false
        // ssh clients of a host that is gone would wait for ever, and hold the launcher's output open.
        Self.kill(session: result.closureResult)
        let status = Command.status(result.terminationStatus)
        if isCalledOff, status != 0 { return stoppedExitStatus }
        guard status >= 128 || status == 1, let own = noted else { return status }
        return own
    }

    /// The program's own status, if it noted one.
    private var noted: Int32? {
        // A file that is not there is the common case.
        guard let text = try? WholeFile.text(of: ended, limit: 4096) else { return nil }
        return text.split(whereSeparator: \.isWhitespace).first.flatMap { Int32($0) }
    }

    /// Hands signals on, and ends an mpirun that waits for a host that is gone. Whether a signal called the job off before
    /// it had begun.
    private func watch(_ session: pid_t) async -> Bool {
        var hasAsked = false, isCalledOff = false, terminated: Double?, ranksEnded: Double?
        while await Self.sleep(0.1) {
            let now = SystemClock().monotonic
            if let signal = StopSignals.asked, !hasAsked {
                hasAsked = true
                isCalledOff = !hasBegun()
                say(
                    isCalledOff
                        ? "\(signal): the job is ended before its first step: nothing is lost"
                        : "\(signal): the run saves and stops; once more ends it at once")
                // mpirun hands SIGUSR1 on to all ranks; of SIGTERM it leaves them one second.
                if !isCalledOff { Glibc.kill(session, SIGUSR1) }
            }
            if isCalledOff, terminated == nil {
                terminated = now
                Glibc.kill(session, SIGTERM)
            }
            if StopSignals.insists, terminated == nil {
                terminated = now
                Glibc.kill(session, SIGTERM)
            }
            if ranksEnded == nil, FileSystem.exists(ended) { ranksEnded = now }
            if let terminated, now - terminated > Self.patience.terminated { Self.kill(session: session) }
            if let ranksEnded, now - ranksEnded > Self.patience.ranksEnded {
                say("the ranks have ended, but mpirun waits for a host that is gone: it is killed")
                Self.kill(session: session)
                return isCalledOff
            }
        }
        return isCalledOff
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
        // A process may end while it is looked at.
        let names = (try? FileSystem.names(in: "/proc")) ?? []
        for process in names.compactMap({ pid_t($0.text) }) where getsid(process) == session {
            Glibc.kill(process, SIGKILL)
        }
    }
}
