package import Files
package import MessagePassing
package import SystemPackage
package import Threads

extension CheckpointReader {
    /// Looks at which what is listed is gone once it is opened.
    private static let mostRetired = 8

    /// Opens the newest sound checkpoint of a run, on disk or in the memory of its hosts; nil when the run has none yet.
    /// Collective.
    ///
    /// `report` hears on rank zero about each checkpoint that is passed over, and about files that are waited for. A run
    /// whose checkpoints on disk are all damaged is a `CheckpointError`, unless its memory has one: starting over silently
    /// would be worse.
    ///
    /// - Parameters:
    ///   - memory: where this host keeps what it has of the run; nil to look on disk alone.
    ///   - course: of the run: states in memory that are not of it are left.
    package static func openNewest(
        runDirectory: FilePath, memory: MemoryStore? = nil, course: RunCourse = RunCourse(),
        communicator: any Collective,
        visibilityLimit: Double = visibilityLimit, files: any FileOperations = SystemFiles(),
        clock: any TimeSource = SystemClock(), report: (String) -> Void
    ) throws -> CheckpointReader? {
        try withoutActuallyEscaping(report) { report in
            let disk = DiskStore(
                runDirectory: runDirectory, communicator: communicator, visibilityLimit: visibilityLimit, files: files,
                clock: clock, report: report)
            let stores: [any CheckpointStore] =
                try memory.map { [try HostMemories($0, course, communicator), disk] } ?? [disk]
            var retired = 0
            while true {
                do {
                    let reader = try openNewest(of: stores, runDirectory, communicator, report)
                    // Gone, but for no newer one: then nothing may begin as if there had never been any.
                    try communicator.agree(
                        on: "resuming",
                        failure: reader == nil && retired > 0
                            ? "the checkpoints in \(runDirectory.shown) vanished while they were read: is its file system mounted?"
                            : nil)
                    return reader
                } catch is Retired {
                    retired += 1
                    // A network file system may go on listing what is gone.
                    try communicator.agree(
                        on: "resuming",
                        failure: retired > mostRetired
                            ? "the checkpoints in \(runDirectory.shown) are listed, and gone when they are opened, again and "
                                + "again: is its file system mounted?"
                            : nil)
                }
            }
        }
    }

    /// Tries all there are, newest first; of equal ones those in memory.
    private static func openNewest(
        of stores: [any CheckpointStore], _ runDirectory: FilePath, _ communicator: any Collective,
        _ report: (String) -> Void
    ) throws -> CheckpointReader? {
        var found: [(candidate: Candidate, store: any CheckpointStore)] = []
        for store in stores { found += try store.list().map { ($0, store) } }
        // Of equal steps the order stays.
        let newestFirst = found.enumerated().sorted {
            ($1.element.candidate.step, $0.offset) < ($0.element.candidate.step, $1.offset)
        }
        var problems: [String] = [], lost: [String] = []
        for (candidate, store) in newestFirst.map(\.element) {
            do {
                let reader = try store.open(candidate)
                if communicator.isRoot { problems.forEach(report) }
                return reader
            } catch let error as AgreedError {
                problems.append("passing over a \(store.adjective): \(error)")
                if store.isLasting { lost.append(problems.last!) }
            }
        }
        if communicator.isRoot, lost.isEmpty { problems.forEach(report) }
        try communicator.agree(
            on: "resuming",
            failure: lost.isEmpty
                ? nil
                : "none of the \(lost.count) checkpoints in "
                    + "\(CheckpointCatalog.checkpointsDirectory(runDirectory).shown) can be used; restore one, or move that "
                    + "directory away to start anew: " + lost.joined(separator: "; "))
        return nil
    }
}
