import ArgumentParser
import DataParallel
import Files
import Glibc
import Launching
import PixelLearning
import SystemPackage
import Training

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Prints how many ranks can share a run's batch, or what is expected of many nodes.",
        discussion: """
            pixpro plan --ranks 7 --config configs/small-data.yaml
            directory=runs/small-data
            ranks=4

            pixpro-bench measure --config run.yaml --batch 8 --threads 27          writes node.json
            pixpro plan --config run.yaml --nodes 4,16,64,256,1000 --network 25Gbit:2us

            The second form prints a line for each number of nodes: the time of a step, its efficiency (1: as fast as so many \
            nodes that need nobody), the part of it that waits for messages of statistics, for the slowest rank and for \
            gradients, the memory and the bytes sent of a node, the goodput with the failures given, and what limits it; then \
            the settings that would help the last.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(
        help: "Ranks there could be: prints the run's directory and the most that can share its batch.",
        transform: wholeNumber(in: 1...1_000_000))
    var ranks: Int?

    @OptionGroup(title: "Many nodes") var scaling: ScalingOptions

    @Argument(help: "Folders of images, which change nothing here.")
    var images: [String] = []

    func validate() throws {
        guard (ranks == nil) != (scaling.nodes == nil) else {
            throw ValidationError("give either --ranks or --nodes")
        }
    }

    func run() throws {
        let configuration = try RunConfiguration.load(
            file: options.config, overrides: options.set, tasks: tasks
        ).configuration
        if let ranks { try printRanks(configuration, available: ranks) }
        if let nodes = scaling.nodes {
            print(try scaling.plan(configuration).text(nodes: nodes.counts), terminator: "")
        }
    }

    private func printRanks(_ configuration: RunConfiguration, available: Int) throws {
        // Where no start has trained a step or saved one, how a dead one was cut binds nobody.
        let directory = configuration.run.directory
        let goesOn =
            try RunSight(directory, mark: nil).newestStep > 0
            || RunEvent.read(RunDirectory(directory).history).contains { $0.kind == .beat }
        let most = try BatchPlan.mostRanks(
            configuration, available: available, microBatches: goesOn ? try configuration.microBatchesKept() : nil)
        // The directory's own bytes, which need not be text.
        let bytes = directory.bytes
        print("directory=", terminator: "")
        for byte in bytes { putchar(Int32(byte)) }
        print("\nranks=\(most)")
    }
}

/// What `pixpro plan` is asked of nodes that are not here.
struct ScalingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Numbers of nodes, such as 4,16,64.", valueName: "list"), transform: NodeCounts.init)
    var nodes: NodeCounts?

    @Option(
        help: ArgumentHelp(
            "Bits a second and latency of a node's link; else as it was measured over several hosts.",
            valueName: "25Gbit:2us"),
        transform: NetworkLink.init(text:))
    var network: NetworkLink?

    @Option(help: "What pixpro-bench measure wrote.") var measured: FilePath = "node.json"

    @Option(
        help: "Ranks on each node, each with what was measured for itself (default: 1).",
        transform: wholeNumber(in: 1...1024))
    var ranksPerNode = 1

    @Option(help: "Failures of a node in a year (default: 1).", transform: amount) var failuresPerNodeYear = 1.0

    @Option(help: "Seconds from the end of a job to its next step (default: 60).", transform: amount)
    var restartSeconds = 60.0

    @Option(help: "Memory of a node in GB, else as much as here.", transform: amount) var memory: Double?

    func plan(_ configuration: RunConfiguration) throws -> ScalingPlan {
        let node = try NodeMeasurement.read(measured)
        try node.check(configuration)
        guard let network = network ?? node.links.network else {
            throw ScalingError(
                "\(measured.shown) was measured on one host: give --network, such as 25Gbit:2us, or measure under mpirun on "
                    + "several")
        }
        return ScalingPlan(
            configuration, node,
            .init(
                ranksPerNode: ranksPerNode, network: network, failuresPerNodeYear: failuresPerNodeYear,
                restartSeconds: restartSeconds,
                memoryPerNode: memory.map { Int($0 * 1e9) } ?? PhysicalMemory.byteCount))
    }
}

/// Reads a number that is 0 or more.
@Sendable private func amount(_ text: String) throws -> Double {
    guard let value = Double(text), value.isFinite, (0...1e9).contains(value) else {
        throw ScalingError("it must be a number from 0 to 1e9")
    }
    return value
}
