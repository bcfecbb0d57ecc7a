import MessagePassing

/// A place where checkpoints of a run are looked for. All of it is collective, and the same on all ranks.
protocol CheckpointStore {
    /// What checkpoints of this place that cannot be used are called.
    var adjective: String { get }
    /// Whether a run has lost something it was promised where none of its checkpoints here can be used.
    var isLasting: Bool { get }
    /// What there is, newest first.
    func list() throws -> [Candidate]
    /// Opens a checkpoint after checking all of it. Throws an `AgreedError` where it cannot be used, and `Retired` where it
    /// was removed meanwhile.
    func open(_ candidate: Candidate) throws -> CheckpointReader
}

/// What looks like a checkpoint.
struct Candidate: Equatable {
    let step: Int
    /// Of the manifest, where several hosts have a part: equal ones belong together.
    var checksum: UInt32 = 0
}

/// A checkpoint was removed by the running training while it was read; thrown on all ranks.
struct Retired: Error {}
