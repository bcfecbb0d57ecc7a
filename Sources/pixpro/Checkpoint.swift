import ArgumentParser
import Checkpointing
import Files
import Foundation
import SystemPackage
import Training

struct Checkpoint: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists and checks the checkpoints of a run.", subcommands: [List.self, Check.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists a run's checkpoints, newest first.")

        @Argument(help: "The run's directory.")
        var directory: FilePath

        func run() throws {
            let entries = try CheckpointCatalog.list(runDirectory: directory)
            guard !entries.isEmpty else {
                throw ValidationError("no checkpoints in \(CheckpointCatalog.checkpointsDirectory(directory).shown)")
            }
            for entry in entries {
                switch entry.manifest {
                case .success(let manifest):
                    print(
                        "step \(entry.step)  \(manifest.facts.samplesSeen) images  \(manifest.shards.count) shards  "
                            + "\(manifest.byteCount >> 20) MiB  \(entry.directory.shown)")
                case .failure(let error): print("step \(entry.step)  DAMAGED  \(error)")
                }
            }
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Reads every byte of a run's checkpoints and compares sizes and CRC-32C with the manifests.")

        @Argument(help: "The run's directory.")
        var directory: FilePath

        @Option(
            help: "The step of the only checkpoint to read; all if left out.",
            transform: wholeNumber(in: 0...1_000_000_000))
        var step: Int?

        func run() throws {
            let directories =
                try step.map { [try CheckpointCatalog.find(step: $0, runDirectory: directory)] }
                ?? CheckpointCatalog.list(runDirectory: directory).map(\.directory)
            guard !directories.isEmpty else {
                throw ValidationError("no checkpoints in \(CheckpointCatalog.checkpointsDirectory(directory).shown)")
            }
            var damaged = 0
            for directory in directories {
                do {
                    let manifest = try CheckpointCatalog.verify(directory)
                    print(
                        "ok       \(directory.shown)  \(manifest.tensors.count) tensors, \(manifest.byteCount) bytes")
                } catch  where !FileSystem.exists(directory) {
                    print("retired  \(directory.shown)  by the training that runs meanwhile")
                } catch {
                    damaged += 1
                    print("DAMAGED  \(directory.shown)  \(error)")
                }
            }
            if damaged > 0 { throw ExitCode(1) }
        }
    }
}
