package import Checkpointing
import ImagePipeline

/// Which pictures a run is trained on, as a checkpoint remembers it.
package struct PictureList: Sendable, Equatable {
    package let count: Int
    /// Of names and sizes, whatever their order.
    package let fingerprint: Int

    package init(count: Int, fingerprint: Int) { (self.count, self.fingerprint) = (count, fingerprint) }

    init(_ index: ImageIndex) { self.init(count: index.count, fingerprint: index.fingerprint) }

    /// Nil for checkpoints of programs that did not write it.
    package init?(_ facts: CheckpointFacts) {
        guard let count = facts.counters["images"], let fingerprint = facts.counters["imageFingerprint"] else {
            return nil
        }
        self.init(count: count, fingerprint: fingerprint)
    }

    package var counters: [String: Int] {
        ["images": count, "imageFingerprint": fingerprint]
    }

    /// What to tell of a run that goes on at `position` with this list after another one; nil where it is the same.
    package func warning(after old: PictureList, checkpoint: String, at position: RunPosition) -> String? {
        guard self != old else { return nil }
        let counts =
            count == old.count ? "\(count) now as then, but not the same ones" : "\(count) now, \(old.count) then"
        let share = Int((100 * Double(position.samplesInEpoch) / Double(count)).rounded())
        return
            "the pictures are not those that \(checkpoint) was made with (\(counts)): the run goes on with the new ones "
            + "from epoch \(position.epoch + 1) on, \(share)% of which counts as done; the learning rate goes on where it was"
    }
}
