import ArgumentParser
import Files
import ImagePipeline
import SystemPackage
import Training

struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Draws, checks and packs images.",
        subcommands: [Synthesize.self, Scan.self, Pack.self])

    struct Synthesize: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Draws a folder of JPEGs with classes, and pictures with a label for every pixel.",
            discussion: "Training, evaluation and export can be tried on it without any download.")

        @Argument(help: "The folder to make.")
        var directory: FilePath

        @Option(help: "Pictures of each class to train on.", transform: pictures)
        var trainPerClass = 100
        @Option(help: "Pictures of each class to score on.", transform: pictures)
        var validationPerClass = 100
        @Option(help: "Labelled pictures to train a segmentation head on.", transform: pictures)
        var segmentationTrain = 300
        @Option(help: "Labelled pictures to score segmentation on.", transform: pictures)
        var segmentationValidation = 100
        @Option(help: "Classes, at most 10.", transform: wholeNumber(in: 2...10))
        var classes = 10
        @Option(help: "Side of the pictures in pixels.", transform: wholeNumber(in: 16...4096))
        var size = 128
        @Option(help: "Another seed draws other pictures.") var seed: UInt64 = 1

        private static let pictures = wholeNumber(in: 0...1_000_000)

        func run() throws {
            try SyntheticImages.write(
                to: directory, classes: classes, trainPerClass: trainPerClass, validationPerClass: validationPerClass,
                segmentationTrain: segmentationTrain, segmentationValidation: segmentationValidation, imageSize: size,
                seed: seed, progress: commandProgress("drawing"))
            print("drew \(directory.shown)")
        }
    }

    struct Scan: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Decodes every image and reports what training would use and skip.")

        @Argument(help: "Folders, tar shards, pictures, or lists of them.")
        var roots: [FilePath]

        func run() throws {
            let scan = try DataScan(roots: roots, progress: commandProgress("decoding"))
            print(scan.report)
        }
    }

    struct Pack: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Packs folders into tar shards (WebDataset's layout) with an index.",
            discussion: """
                A million small files slow a shared file system down for everyone; a few hundred shards do not.
                """)

        @Argument(help: "Folders, tar shards, pictures, or lists of them.")
        var roots: [FilePath]

        @Option(name: .shortAndLong, help: "The folder for the shards.")
        var output: FilePath

        @Option(help: "Size of a shard in MiB.", transform: wholeNumber(in: 1...1_048_576))
        var shardSize = 256

        func run() throws {
            let index = try ImageIndex(roots: roots)
            let pack = try DataPack(
                index, into: output, maximumBytes: shardSize << 20, progress: commandProgress("packing"))
            for item in pack.leftOut.skipped { print("skipped \(item.path): \(item.reason)") }
            print(
                "packed \(pack.pictures) images into \(pack.shards) shard\(pack.shards == 1 ? "" : "s") in \(output.shown), "
                    + "\(pack.leftOut.skippedCount) skipped")
        }
    }
}
