import Checkpointing
import DataParallel
import Files
import Learning
import MessagePassing
import Settings
import SystemPackage

/// A run's checkpoints in the memory of its hosts: when they are made, and what is said of them. All of it is collective.
final class MemoryCheckpoints {
    let store: MemoryStore
    private let saver: MemorySaver
    private let reporter: RunReporter
    private var pace: Pace
    /// By rank, why it has no folder; empty where it has.
    private let troubles: [String]
    private var isOff = false
    private var hasSaid = false
    private var hasFailed = false

    /// Of the training time, where `checkpoint.memorySeconds` is `auto`.
    static let share = 0.01

    /// - Parameters:
    ///   - history: whose run this is.
    init(
        _ settings: RunConfiguration.Checkpoint, _ history: RunHistory, host: HostLayout, reporter: RunReporter,
        over communicator: any Collective
    ) throws {
        self.reporter = reporter
        store = MemoryStore(folder: settings.memoryDirectory, identity: history.identity)
        troubles = try communicator.allGather(store.makeFolder() ?? "")
        pace = Pace(seconds: settings.memorySeconds.count.map(Double.init), share: Self.share)
        let limit = settings.memoryLimit.count.map { $0 << 20 }
        saver = try MemorySaver(
            store: store, communicator: communicator, limit: limit ?? Self.automaticLimit(store, settings),
            share: limit == nil ? host.memoryPerRank / 4 : .max)
    }

    /// What checkpoints may take of a folder whose user says nothing; nothing where it is not there.
    private static func automaticLimit(_ store: MemoryStore, _ settings: RunConfiguration.Checkpoint) -> Int {
        // What the run has there already gives way to what it makes.
        FileSystem.freeSpace(in: settings.memoryDirectory).map { ($0 + store.byteCount) / 2 } ?? 0
    }

    /// Whether the state fits into what the hosts grant; says how it is kept, once.
    func prepare(_ tensors: [SavedTensor]) {
        let (bytes, granted) = saver.demand(tensors)
        isOff = bytes > granted
        let hosts = saver.plan.ranks.count
        if let rank = troubles.firstIndex(where: { !$0.isEmpty }) {
            isOff = true
            reporter.warn("no checkpoints in memory: rank \(rank): \(troubles[rank]); see checkpoint.memoryDirectory")
        } else if isOff {
            reporter.warn(
                "no checkpoints in memory: they take \(mebibytes(bytes)) of a host, which grants \(mebibytes(granted)); raise "
                    + "checkpoint.memoryLimit, or in a container the size of /dev/shm (docker --shm-size), or set "
                    + "checkpoint.memorySeconds=0")
        } else {
            reporter.note(
                "checkpoints in memory, at most \(mebibytes(bytes)) of each host: "
                    + (hosts > 1
                        ? "each host and the next one have its part, so that any one host may be lost"
                        : "on one host they outlive its processes, not the host"))
        }
    }

    /// The run goes on from a step, or begins (nil).
    func wentOn(from step: Int?) throws { try saver.wentOn(from: step) }

    /// Training went on for so many seconds.
    func add(seconds: Double) { pace.add(seconds) }

    /// Whether one shall be made now.
    var isDue: Bool { !isOff && pace.isDue }

    /// Returns whether one was made.
    func save(_ tensors: [SavedTensor], _ facts: CheckpointFacts) throws -> Bool {
        let outcome = try saver.save(tensors, facts: facts)
        tell(outcome)
        if case .committed = outcome { return true } else { return false }
    }

    /// The run ended well, and its state is on disk.
    func remove() throws {
        do { try saver.removeAll() } catch let error as AgreedError { reporter.warn("\(error)") }
    }

    private func tell(_ outcome: MemorySaveOutcome) {
        switch outcome {
        case .committed(_, let cost):
            pace.done(cost: cost)
            hasFailed = false
            guard !hasSaid else { return }
            hasSaid = true
            reporter.note(
                "a checkpoint in memory takes \(significant(cost)) s: one is made after every "
                    + "\(significant(pace.seconds)) s of training")
        case .failed(let reason):
            pace.done(cost: 0.1)
            // Once, until one is made again.
            guard !hasFailed else { return }
            hasFailed = true
            reporter.warn("no checkpoint was made in memory: \(reason); it is tried again")
        }
    }

    private func mebibytes(_ bytes: Int) -> String { "\(significant(Double(bytes) / 0x1p20)) MiB" }
}
