import ArgumentParser
import Dispatch
import Files
import Glibc
import Launching
import SystemPackage
import Threads
import Training

/// How jobs are started, for commands that start them.
struct LaunchOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "One host a line, `node1` or `node1 slots=2`; default: Slurm's, PBS's or Kubeflow's own, else this machine.",
            valueName: "file"))
    var hosts: FilePath?

    @Option(
        help: "Ranks on every host; default: the file's slots, else one a socket.", transform: wholeNumber(in: 1...4096)
    )
    var ranksPerHost: Int?

    @Option(
        help: ArgumentHelp(
            "Network that MPI uses between hosts, as 10.0.0.0/16 or eth0; without it Open MPI tries all.",
            valueName: "network"))
    var interface: String?

    @Option(
        help: ArgumentHelp(
            """
            When a job ends abnormally, up to N times: look at the hosts, leave out those that cannot take part, and go \
            on from the newest checkpoint with what is left, at the same global batch. Jobs that could not be started \
            cost none.
            """, valueName: "n"),
        transform: wholeNumber(in: 0...1_000_000_000))
    var restart = 0

    @Option(
        help: ArgumentHelp(
            "Wait before a restart after a job that came no further; doubles up to 300.", valueName: "seconds"),
        transform: wholeNumber(in: 0...86_400))
    var backoff = 1

    @Option(
        help: ArgumentHelp(
            "With --restart: waiting without progress, in all, before giving up.", valueName: "seconds"),
        transform: wholeNumber(in: 0...100_000_000))
    var patience = 600

    @Option(
        help: ArgumentHelp(
            "With --restart: hosts without which no job is started; fewer are waited for.", valueName: "n"),
        transform: wholeNumber(in: 1...1_000_000))
    var minimumHosts = 1

    @Option(help: ArgumentHelp("Reaches a host as `PROGRAM HOST COMMAND`.", valueName: "program"))
    var agent = "ssh"

    @Option(help: ArgumentHelp("The program on every host; default: this one.", valueName: "path"))
    var program: FilePath?

    func launcher(isDryRun: Bool) throws -> Launcher.Options {
        if let program, access(FileSystem.absolute(program).string, X_OK) != 0 {
            throw ValidationError(
                "\(program.shown) is not there; build it (swift build -c release --product pixpro) or give --program")
        }
        return Launcher.Options(
            hosts: hosts, ranksPerHost: ranksPerHost, interface: interface,
            restart: .init(
                restarts: restart, backoff: Double(backoff), patience: Double(patience), minimumHosts: minimumHosts),
            agent: agent, program: program.map(FileSystem.absolute), isDryRun: isDryRun)
    }
}

/// Runs what waits by Swift's concurrency, as few commands do, to its end.
func waitForStatus(_ body: @escaping @Sendable () async -> Int32) -> Int32 {
    do { return try wait(for: body) } catch { return Launcher.refuse(error) }
}

/// Runs `body` to its end; throws where the system gives no threads: Swift's tasks would wait for ever.
func wait<Value: Sendable>(for body: @escaping @Sendable () async -> Value) throws -> Value {
    try SystemThread("launcher") {}.join()
    let outcome = Outcome<Value>(), done = DispatchSemaphore(value: 0)
    Task.detached {
        outcome.value = await body()
        done.signal()
    }
    done.wait()
    return outcome.value!
}

private final class Outcome<Value>: @unchecked Sendable {
    // @unchecked: read after the semaphore that its one writer signals.
    var value: Value?
}
