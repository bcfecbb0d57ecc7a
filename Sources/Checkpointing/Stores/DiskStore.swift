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

    /// How often a checkpoint that a rank could not look at is tried again, and after how many seconds: longer than a file
    /// server takes to come back, as an older one costs hours.
    private static let patience = (tries: 12, seconds: 5.0)

    func open(_ candidate: Candidate) throws -> CheckpointReader {
        let directory = CheckpointCatalog.directory(runDirectory: runDirectory, step: candidate.step)
        for tries in 0... {
            var isUnseen = false
            do {
                return try CheckpointReader.open(
                    directory: directory, step: candidate.step, communicator: communicator,
                    visibilityLimit: visibilityLimit, files: files, clock: clock, report: report,
                    unseen: { isUnseen = true })
            } catch let error as AgreedError {
                let isGone = communicator.isRoot && !files.exists(directory)
                let seen = try communicator.maximum([isGone ? 1 : 0, isUnseen ? 1 : 0])
                if seen[0] == 1 { throw Retired() }
                guard seen[1] == 1, tries < Self.patience.tries else { throw error }
                if communicator.isRoot { report("\(error); it is looked at again in \(Int(Self.patience.seconds)) s") }
                clock.pause(seconds: Self.patience.seconds)
            }
        }
        preconditionFailure("tries without an end")
    }
}
