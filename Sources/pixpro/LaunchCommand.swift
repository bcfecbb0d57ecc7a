import ArgumentParser
import Launching
import SystemPackage
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

            SIGUSR2 asks for hosts that came back, or were put on the list: the run saves and starts anew at once on all \
            that can take part. Without it they come in at the next restart.

            Exit status: 0 the schedule is done; 75 stopped by a signal and saved: start again to go on; 78 an error, \
            said above, that another start does not cure; 79 a rank was missing or nothing moved (the watchdog's report \
            says who); 64 wrong options or host file; 69 too few hosts, or no progress.

            Its log, the host file and a mark by which hosts know the directory are in launcher/ of the run's directory.
            """)

    @OptionGroup var options: LaunchOptions

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
        let launcher = Launcher(
            try options.launcher(isDryRun: dryRun), configuration: loaded.configuration, arguments: arguments)
        throw ExitCode(waitForStatus { await launcher.run() })
    }
}

/// What a host tells of itself to `pixpro launch`, which starts it there.
struct HostReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "host-report", shouldDisplay: false)

    @Option var runDirectory: FilePath?
    @Option var mark: String?
    @Option var memory: FilePath?
    @Option var root: [FilePath] = []

    func run() throws {
        let question = HostQuestion(runDirectory: runDirectory, mark: mark, memory: memory, roots: root)
        print(try HostFacts.ofThisHost(question).lines, terminator: "")
    }
}
