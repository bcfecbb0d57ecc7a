import ArgumentParser
import MessagePassing
import SystemPackage
import Training

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a trained network as safetensors, backbones in torchvision's names.",
        discussion: """
            In Python:
              from safetensors.torch import load_file
              model = torchvision.models.resnet50()
              model.load_state_dict(load_file("backbone.safetensors"), strict=False)   # only fc is missing
            """)

    @Argument(help: "The run's directory.")
    var directory: FilePath

    @Option(name: .shortAndLong, help: "The file to write.")
    var output: FilePath

    @Option(
        help: """
            Which network: online, momentum or pyramid (with backbone and towers) of pretraining, segmenter or backbone of \
            segmentation, detector or backbone of detection; the first of the task's if left out.
            """)
    var network: String?

    @Option(
        help: "The step of the checkpoint to take; the newest if left out.",
        transform: wholeNumber(in: 0...1_000_000_000))
    var step: Int?

    @Option(help: "A picture; it and its C5 features go into a file beside, to check other loaders against.")
    var example: FilePath?

    func run() throws {
        runOnAllRanks { runtime in
            if example != nil { try startComputeThreads(on: runtime) }
            let summary = try NetworkExport(network, of: directory, step: step, communicator: runtime.world)
                .write(to: output, example: example)
            if runtime.world.isRoot { print(summary) }
        }
    }
}
