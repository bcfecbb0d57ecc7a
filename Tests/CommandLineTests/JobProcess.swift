import Foundation
import Synchronization
import TestSupport

/// A process of a running job, found by the run's directory on its command line.
struct JobProcess {
    let id: Int32
    let arguments: [String]
    /// Its rank; nil for mpirun and what started it.
    let rank: Int?

    /// How many threads it has; none once it has ended.
    var threads: Int {
        do { return try FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/task").count } catch { return 0 }
    }

    /// All that live now, oldest first.
    static func all(of run: SmallRun) -> [JobProcess] { all { $0.contains("run.directory=\(run.run)") } }

    /// All that live now and have such words on their command line, oldest first.
    static func all(_ isWanted: (_ arguments: [String]) -> Bool) -> [JobProcess] {
        // Processes end while they are looked at: what cannot be read is gone.
        let ids = (try? FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }) ?? []
        return ids.sorted().compactMap { id in
            let arguments = words("/proc/\(id)/cmdline")
            guard isWanted(arguments) else { return nil }
            let variable = "OMPI_COMM_WORLD_RANK="
            let rank = words("/proc/\(id)/environ").first { $0.hasPrefix(variable) }
            return JobProcess(id: id, arguments: arguments, rank: rank.flatMap { Int($0.dropFirst(variable.count)) })
        }
    }

    private static func words(_ path: String) -> [String] {
        guard let bytes = FileManager.default.contents(atPath: path) else { return [] }
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }
}

extension SmallRun {
    var processes: [JobProcess] { JobProcess.all(of: self) }

    /// A rank of the job, or what the test started: launch/train, mpirun, or the only process.
    func process(rank: Int? = nil) throws -> JobProcess {
        guard let process = processes.first(where: { rank == nil || $0.rank == rank }) else {
            throw CocoaError(.featureUnsupported, userInfo: [NSLocalizedDescriptionKey: "the job has ended: \(run)"])
        }
        return process
    }

    /// Steps in metrics.jsonl; 0 before there is one.
    var steps: Int { (try? losses().count) ?? 0 }
}

/// Runs `act` on a thread beside `job` and returns what both gave, once both have ended.
///
/// `act` is given a way to wait for a condition: until it holds, or the job is over.
func whileRunning<Value: Sendable>(
    _ act: @escaping @Sendable (_ wait: (() -> Bool) -> Void) throws -> Value, _ job: () throws -> ProcessResult
) throws -> (job: ProcessResult, act: Value) {
    let isOver = Atomic(false), done = DispatchSemaphore(value: 0)
    let outcome = Mutex<Result<Value, any Error>?>(nil)
    Thread.detachNewThread {
        let result = Result {
            try act { condition in
                while !condition() && !isOver.load(ordering: .relaxed) { usleep(20_000) }
            }
        }
        outcome.withLock { $0 = result }
        done.signal()
    }
    let ended = Result { try job() }
    isOver.store(true, ordering: .relaxed)
    done.wait()
    return (try ended.get(), try outcome.withLock { try $0!.get() })
}

/// Waits until `condition` holds, at most `seconds`; whether it came to hold.
func holds(within seconds: Double, _ condition: () -> Bool) -> Bool {
    let deadline = Date() + seconds
    while !condition() {
        guard Date() < deadline else { return false }
        usleep(20_000)
    }
    return true
}
