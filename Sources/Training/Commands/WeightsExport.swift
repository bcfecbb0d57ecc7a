package import Checkpointing
import Files
package import Learning
package import MessagePassing
package import SystemPackage
import TensorCore

/// A checkpoint's tensors on their way to a file for others.
package struct WeightsExport {
    package let reader: CheckpointReader

    /// Opens the checkpoint of `step`, or the newest. Collective.
    package init(runDirectory: FilePath, step: Int?, communicator: any Collective) throws {
        if let step {
            let found = try communicator.agree(on: "looking for checkpoints") {
                communicator.isRoot ? try CheckpointCatalog.find(step: step, runDirectory: runDirectory).text : ""
            }
            reader = try CheckpointReader.open(
                directory: FilePath(text: try communicator.broadcast(found)), step: step, communicator: communicator)
            return
        }
        let newest = try CheckpointReader.openNewest(runDirectory: runDirectory, communicator: communicator) {
            Console.standardError.print("warning: \($0)")
        }
        guard let newest else {
            throw TrainingError(
                "no checkpoint in \(CheckpointCatalog.checkpointsDirectory(runDirectory).shown): is \(runDirectory.shown) a run "
                    + "directory, and did the run reach its first checkpoint (checkpoint.everySteps)?")
        }
        reader = newest
    }

    /// The tensors that `map` takes, under their new names. Throws where their numbers are not finite. Collective.
    package func tensors(_ map: ExportMap) throws -> [NamedTensor] {
        let stored = reader.manifest.tensors.filter { map.fileName($0.name) != nil }
        let tensors = stored.map { NamedTensor(name: $0.name, elementType: $0.elementType, shape: $0.shape) }
        try reader.read(into: tensors, partially: true)
        if let wrong = tensors.first(where: { $0.tensor?.isFinite == false }) {
            throw TrainingError(notFinite: wrong.name, in: reader.directory)
        }
        return tensors.map { $0.renamed(map.fileName($0.name)!) }
    }

    /// What holds for any task: how far training was.
    package var facts: [String: String] {
        let facts = reader.manifest.facts
        return [
            "format": "pt", "producer": "pixpro", "steps": "\(facts.step)", "images_seen": "\(facts.samplesSeen)",
            "seed": "\(facts.seed)",
        ]
    }

    /// Writes what `map` takes on rank zero; returns how many tensors. Collective.
    package func write(_ map: ExportMap, to path: FilePath) throws -> Int {
        let tensors = try tensors(map)
        try reader.communicator.agree(on: "writing \(path.shown)") {
            guard reader.communicator.isRoot else { return }
            try SafetensorsFile.write(tensors, metadata: facts, to: path)
        }
        return tensors.count
    }
}
