/// How the images of an update are dealt: into micro-batches first, then each over the ranks.
///
/// A micro-batch is what shares batch statistics and negatives, and so what decides the numbers: the same images at any
/// number of ranks. Both cuts are contiguous, and parts differ by one image at most, the larger ones first.
package struct BatchPlan: Sendable, Equatable {
    /// Images of one update over all ranks.
    package let global: Int
    package let ranks: Int
    /// Micro-batches whose gradients are summed into one update.
    package let microBatches: Int

    package init(global: Int, ranks: Int, microBatches: Int = 1) {
        precondition(
            ranks >= 1 && microBatches >= 1 && Self.fits(global: global, ranks: ranks, microBatches: microBatches),
            "\(global) images in \(microBatches) micro-batches for \(ranks) ranks")
        (self.global, self.ranks, self.microBatches) = (global, ranks, microBatches)
    }

    /// Whether every rank gets an image of every micro-batch.
    package static func fits(global: Int, ranks: Int, microBatches: Int) -> Bool { global / microBatches >= ranks }

    /// The images of a micro-batch, counted from the first of the update.
    package func images(ofMicroBatch index: Int) -> Range<Int> {
        Self.part(index, of: microBatches, count: global)
    }

    /// The images that a rank has of a micro-batch, counted from the first of the update.
    package func images(ofMicroBatch index: Int, rank: Int) -> Range<Int> {
        let all = images(ofMicroBatch: index), part = Self.part(rank, of: ranks, count: all.count)
        return all.lowerBound + part.lowerBound..<all.lowerBound + part.upperBound
    }

    /// The most images that a rank holds at once.
    package var mostImagesAtOnce: Int { images(ofMicroBatch: 0, rank: 0).count }

    /// "2 ranks × 16 images × 1 micro-batch = global batch 32", or "12 or 13" images where parts differ.
    package var summary: String {
        let least = images(ofMicroBatch: microBatches - 1, rank: ranks - 1).count, most = mostImagesAtOnce
        let images = least == most ? "\(most)" : most == least + 1 ? "\(least) or \(most)" : "\(least) to \(most)"
        return "\(ranks) rank\(ranks == 1 ? "" : "s") × \(images) images × \(microBatches) "
            + "micro-batch\(microBatches == 1 ? "" : "es") = global batch \(global)"
    }

    private static func part(_ index: Int, of parts: Int, count: Int) -> Range<Int> {
        let (share, rest) = count.quotientAndRemainder(dividingBy: parts)
        let start = index * share + min(index, rest)
        return start..<start + share + (index < rest ? 1 : 0)
    }
}
