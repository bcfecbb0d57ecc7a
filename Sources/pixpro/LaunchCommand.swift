import ArgumentParser
import Dispatch
import Files
import Glibc
import Launching
import SystemPackage
import Threads
import Training

/// What `launch/train` hands over to.
struct LaunchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "launch",
        abstract: "Trains on the hosts of a host file or of the scheduler's job, and keeps the run going.",
        usage: "pixpro launch [<options>] [--] <arguments of pixpro train>",
        discussion: """
            launch/train --hosts hosts --interface 10.0.0.0/16 --config configs/pixpro-resnet50-100ep.yaml /shared/images
            launch/train --hosts hosts --restart 100 --config my.yaml --set run.directory=/shared/runs/a /shared/images

            Before each start every host is asked, all at once: does it answer, has it Open MPI's daemon, this build of \
            the program, the run's directory, the pictures, and room in TMPDIR? One that lacks something is named with \
            what; with --restart it is left out and asked again before the next start.

            SIGTERM, SIGINT, SIGUSR1 and SIGHUP to the launcher ask the run to save and stop; a second one ends it at \
            once (within a second it counts as the same). A terminal that closes sends SIGHUP: start with nohup to train \
            on without it. (nohup before a bare mpirun does not do that: mpirun takes SIGHUP for itself.)

            Exit status: 0 the schedule is done; 75 stopped by a signal and saved: start again to go on; 78 an error, \
            said above, that another start does not cure; 79 a rank was missing or nothing moved (the watchdog's report \
            says who); 64 wrong options or host file; 69 too few hosts, or no progress.

            Its log, the host file and a mark by which hosts know the directory are in launcher/ of the run's directory.
            """)

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
            "Wait before a restart; doubles up to 300 while nothing comes further.", valueName: "seconds"),
        transform: wholeNumber(in: 0...86_400))
    var backoff = 5

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

    @Flag(help: "Print the mpirun line, start nothing.")
    var dryRun = false

    @Argument(parsing: .captureForPassthrough, help: "What `pixpro train` is given.")
    var arguments: [String] = []

    func run() throws {
        // Whatever comes first that is no option of the launcher begins the words of train, `--help` too.
        if ["--help", "-h"].contains(arguments.first) { throw CleanExit.helpRequest(self) }
        let arguments = arguments.first == "--" ? Array(arguments.dropFirst()) : arguments
        // The words of train by its own rules, so that each of its options works here.
        let train: Train
        do { train = try Train.parse(arguments) } catch { Train.exit(withError: error) }
        if train.keys { return try train.run() }
        let loaded: LoadedConfiguration
        do { loaded = try train.loadConfiguration() } catch { throw ExitCode(Launcher.refuse(error)) }
        if let program, access(FileSystem.absolute(program).string, X_OK) != 0 {
            throw ValidationError(
                "\(program.shown) is not there; build it (swift build -c release --product pixpro) or give --program")
        }
        let options = Launcher.Options(
            hosts: hosts, ranksPerHost: ranksPerHost, interface: interface,
            restart: .init(
                restarts: restart, backoff: Double(backoff), patience: Double(patience), minimumHosts: minimumHosts),
            agent: agent, program: program.map(FileSystem.absolute), isDryRun: dryRun)
        let launcher = Launcher(options, configuration: loaded.configuration, arguments: arguments)
        let status = Self.wait { await launcher.run() }
        throw ExitCode(status)
    }

    /// Runs what waits by Swift's concurrency, as no other command does, to its end.
    private static func wait(_ body: @escaping @Sendable () async -> Int32) -> Int32 {
        // Where the system gives no threads, Swift's tasks wait for ever.
        do { try SystemThread("launcher") {}.join() } catch { return Launcher.refuse(error) }
        let outcome = Outcome(), done = DispatchSemaphore(value: 0)
        Task.detached {
            outcome.status = await body()
            done.signal()
        }
        done.wait()
        return outcome.status
    }

    private final class Outcome: @unchecked Sendable {
        // @unchecked: read after the semaphore that its one writer signals.
        var status: Int32 = 0
    }
}

/// What a host tells of itself to `pixpro launch`, which starts it there.
struct HostReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "host-report", shouldDisplay: false)

    @Option var runDirectory: FilePath?
    @Option var mark: String?
    @Option var root: [FilePath] = []

    func run() throws {
        let question = HostQuestion(runDirectory: runDirectory, mark: mark, roots: root)
        print(try HostFacts.ofThisHost(question).lines, terminator: "")
    }
}
