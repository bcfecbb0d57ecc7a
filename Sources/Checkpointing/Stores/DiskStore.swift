import Files
import MessagePassing
import SystemPackage
import Threads

/// The checkpoints of a run's directory, which all hosts share: rank zero looks for them, and shards are read by turns.
struct DiskStore: CheckpointStore {
    let runDirectory: FilePath
    let communicator: any Collective
    let visibilityLimit: Double
    let files: any FileOperations
    let clock: any TimeSource
    let report: (String) -> Void

    var adjective: String { "damaged checkpoint" }
    var isLasting: Bool { true }

    func list() throws -> [Candidate] {
        let steps = try communicator.agree(on: "looking for checkpoints") {
            communicator.isRoot
                ? try CheckpointCatalog.directories(runDirectory: runDirectory, files: files).map(\.step) : []
        }
        return try communicator.broadcast(steps).map { Candidate(step: $0) }
    }

    func open(_ candidate: Candidate) throws -> CheckpointReader {
        let directory = CheckpointCatalog.directory(runDirectory: runDirectory, step: candidate.step)
        do {
            return try CheckpointReader.open(
                directory: directory, step: candidate.step, communicator: communicator,
                visibilityLimit: visibilityLimit, files: files, clock: clock, report: report)
        } catch let error as AgreedError {
            let isGone = communicator.isRoot && !files.exists(directory)
            if try communicator.broadcast([isGone ? 1 : 0])[0] == 1 { throw Retired() }
            throw error
        }
    }
}
