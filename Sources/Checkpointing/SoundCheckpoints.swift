import Files
import Synchronization

/// Which checkpoints of a run's directory are known to be whole: those that were written by this saver, and those of which
/// every byte was read once.
///
/// A run that went on from the memory of its hosts has not read those on disk: before older ones go in their favour, they
/// must be.
final class SoundCheckpoints: Sendable {
    /// By step.
    private let known = Mutex<[Int: Bool]>([:])

    /// The checkpoint of a step was written and synchronized.
    func add(_ step: Int) { known.withLock { $0[step] = true } }

    /// Reads a checkpoint that is not known yet.
    ///
    /// - Parameter warn: hears once what is wrong with it.
    func contains(
        _ entry: CheckpointCatalog.Entry, _ files: any FileOperations, warn: (String) -> Void
    ) -> Bool {
        if let answer = known.withLock({ $0[entry.step] }) { return answer }
        var isSound = true
        do { try CheckpointCatalog.verify(entry.directory, files: files) } catch {
            isSound = false
            warn("an older checkpoint is kept in the place of a damaged one: \(error)")
        }
        known.withLock { [isSound] in $0[entry.step] = isSound }
        return isSound
    }
}
