import ArgumentParser
import Learning
import MessagePassing
import SystemPackage
import Training

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Scores a run's newest checkpoint; a pretrained backbone beside random weights.",
        discussion: """
            The data comes from the run's own configuration; --set and --config change it:
              mpirun -n 2 --bind-to none pixpro evaluate runs/street \\
                --set evaluation.segmentation.train.images=street/train/images …
            """)

    @Argument(help: "The run's directory.")
    var directory: FilePath

    @Option(
        help: "The step of the checkpoint to score; the newest if left out.",
        transform: wholeNumber(in: 0...1_000_000_000))
    var step: Int?

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print the scores as JSON.")
    var json = false

    func run() throws {
        runOnAllRanks { runtime in
            let evaluation = try RunEvaluation(
                runDirectory: directory, step: step, configurationFile: options.config, overrides: options.set,
                tasks: tasks, runtime: runtime)
            let report = try evaluation.run()
            if runtime.world.isRoot { print(json ? try report.json : report.table) }
        }
    }
}
