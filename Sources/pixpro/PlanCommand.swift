import ArgumentParser
import DataParallel
import Files
import Foundation
import PixelLearning
import SystemPackage
import Training

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Prints the run's directory and the most ranks that can share its global batch.",
        discussion: """
            pixpro plan --ranks 7 --config configs/small-data.yaml
            directory=runs/small-data
            ranks=4
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "Ranks there could be.", transform: wholeNumber(in: 1...1_000_000))
    var ranks: Int

    @Argument(help: "Folders of images, which change nothing here.")
    var images: [String] = []

    func run() throws {
        let configuration = try RunConfiguration.load(
            file: options.config, overrides: options.set, tasks: tasks
        ).configuration
        let most = try BatchPlan.mostRanks(
            configuration, available: ranks, microBatches: try configuration.microBatchesKept())
        // The directory's own bytes, which need not be text.
        let directory = configuration.run.directory.bytes
        FileHandle.standardOutput.write(
            Data(Array("directory=".utf8) + directory + Array("\nranks=\(most)\n".utf8)))
    }
}
