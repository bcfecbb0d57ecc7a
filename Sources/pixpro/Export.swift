import ArgumentParser
import Exporting
import MessagePassing
import SystemPackage
import Training

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a trained network for other programs, or for a run to begin with.",
        discussion: """
            Formats:
              pixpro       safetensors in this program's names (a backbone's are torchvision's), for model.start
              torchvision  safetensors for its ResNets, and for fcos_resnet50_fpn (detection.convention: torchvision)
              timm         a folder for timm.create_model('local-dir:FOLDER'), of timm 1.0.16 or later
              openmmlab    .pth for mmdetection and mmsegmentation
              detectron2   .pth for detectron2, detectors in AdelaiDet's names
              onnx         a graph of opset 13 with free batch and sizes; a detector's boxes, scores and classes by level

            In Python:
              from safetensors.torch import load_file
              model = torchvision.models.resnet50()      # the run's model.architecture
              model.load_state_dict(load_file("backbone.safetensors"), strict=False)   # only fc is missing
            """)

    @Argument(help: "The run's directory.")
    var directory: FilePath

    @Option(name: .shortAndLong, help: "The file to write; for timm the folder.")
    var output: FilePath

    @Option(
        help: ArgumentHelp(
            "For whom: \(ExportFormat.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "format"))
    var format = ExportFormat.pixpro

    @Option(
        help: """
            Which network: online, momentum or pyramid (with backbone and towers) of pretraining, segmenter or backbone of \
            segmentation, detector or backbone of detection, generator of inpainting; the first of the task's if left out.
            """)
    var network: String?

    @Option(
        help: "The step of the checkpoint to take; the newest if left out.",
        transform: wholeNumber(in: 0...1_000_000_000))
    var step: Int?

    @Flag(help: "ONNX: the graph takes RGB in 0…1 and normalises it itself; else it takes normalised pixels.")
    var normalize = false

    @Option(help: "A picture; it and its C5 features go into a file beside, to check other loaders against.")
    var example: FilePath?

    func validate() throws {
        guard !normalize || format == .onnx else {
            throw ValidationError("--normalize is of graphs: it goes with --format onnx")
        }
    }

    func run() throws {
        runOnAllRanks { runtime in
            if example != nil { try startComputeThreads(on: runtime) }
            let summary = try NetworkExport(network, of: directory, step: step, communicator: runtime.world)
                .write(format, to: output, normalizes: normalize, example: example)
            if runtime.world.isRoot { print(summary) }
        }
    }
}

extension ExportFormat: ExpressibleByArgument {}
