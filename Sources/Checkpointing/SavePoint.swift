/// The moments of a save, in order. Whatever dies at any of them, a sound checkpoint remains: before `renamed` the
/// previous one, from then on the new one. Tests stop processes at each.
package enum SavePoint: Int, Sendable, CaseIterable {
    /// `beginSave` was called.
    case begun = 1
    /// This rank's tensors are copied; training may change them.
    case copied
    /// The `.partial` directory exists.
    case directoryMade
    /// This rank's shard exists and is empty.
    case shardCreated
    /// The header and at least half of the shard are handed to the system.
    case shardHalfWritten
    /// All of the shard is handed to the system.
    case shardWritten
    /// The shard is on the disk.
    case shardSynchronized
    /// The shard's name is on the disk; the writer thread is done.
    case shardFinished
    /// All ranks know that all shards are finished.
    case readinessAgreed
    /// Rank zero has all sizes and checksums.
    case summariesGathered
    /// Rank zero has seen all shards in their full size.
    case sizesChecked
    /// Rank zero has handed the manifest to the system.
    case manifestWritten
    /// The manifest is on the disk.
    case manifestSynchronized
    /// Later checkpoints, of a course that the run has left, are set aside.
    case supersededSetAside
    /// The directory has its final name: the checkpoint exists.
    case renamed
    /// The final name is on the disk.
    case committed
    /// Rank zero has renamed the first checkpoint to be deleted, if any.
    case retirementBegun
    /// Old checkpoints are gone; rank zero's thread is done.
    case retired
    /// All ranks know the outcome.
    case outcomeTold
}

/// Is told of each point as it is reached, on the thread that reaches it.
package typealias SaveObserver = @Sendable (_ point: SavePoint, _ rank: Int) -> Void
