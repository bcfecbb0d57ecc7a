import ArgumentParser
import Files
import Learning
import MessagePassing
import SystemPackage
import Training

struct Predict: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks at pictures with what a run has learned, and writes what it sees.",
        discussion: """
            mpirun -n 2 --bind-to none pixpro predict runs/street ~/new-photos --output seen
            Of a segmenter for each picture NAME.labels.png (class ids) and NAME.overlay.jpg; of a detector NAME.boxes.jpg \
            (objects of a score of 0.3 and more) and, of all objects, detections.json as COCO's results; of pretraining NAME.features.png (the first three principal \
            components of the features as colours) and NAME.similarity.png (how alike each place is to a marked one); of an inpainter \
            NAME.filled.png, NAME.coarse.png and NAME.attention.png (where each place borrowed from: white itself, green \
            the top right, pink the bottom left), with --masks for what is to be filled. \
            Pictures that cannot be read are skipped and counted.
            """)

    @Argument(help: "The run's directory.")
    var directory: FilePath

    @Argument(help: "Pictures, folders of them, tar shards, or lists of paths.")
    var pictures: [FilePath]

    @Option(name: .shortAndLong, help: "The folder to write to: a new one, or an empty one.")
    var output: FilePath

    @Option(
        help: "The step of the checkpoint to use; the newest if left out.",
        transform: wholeNumber(in: 0...1_000_000_000))
    var step: Int?

    @Option(
        help: ArgumentHelp(
            "The place that others are compared with, as shares of width and height (pretraining).", valueName: "x,y"),
        transform: Self.place)
    var mark = (x: 0.5, y: 0.5)

    @Option(
        help: "Masks of the pictures, white where a hole is: a folder with one of each name, or one file (inpainting).")
    var masks: FilePath?

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "One key over the run's configuration, such as evaluation.threshold=0.5; may be repeated.",
            valueName: "key=value"))
    var set: [String] = []

    private static func place(_ text: String) throws -> (x: Double, y: Double) {
        let numbers = text.split(separator: ",").compactMap { Double($0) }
        guard numbers.count == 2, numbers.allSatisfy({ (0...1).contains($0) }) else {
            throw ValidationError("must be two numbers from 0 to 1, such as 0.3,0.7")
        }
        return (numbers[0], numbers[1])
    }

    func run() throws {
        runOnAllRanks { runtime in
            try startComputeThreads(on: runtime)
            var options = PredictionOptions()
            (options.mark, options.masks) = (mark, masks)
            let outcome = try RunPrediction(
                runDirectory: directory, step: step, pictures: pictures, output: output, options: options,
                overrides: set, tasks: tasks, runtime: runtime
            ).run()
            guard runtime.world.isRoot else { return }
            print("wrote what is seen in \(outcome.pictures) pictures to \(output.shown)")
            guard outcome.skippedCount > 0 else { return }
            print("skipped \(outcome.skippedCount), the first:")
            for line in outcome.skipped.prefix(10) { print("  " + line) }
        }
    }
}
