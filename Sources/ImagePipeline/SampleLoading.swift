/// Which sample is wanted: what keys every draw of chance, so that samples depend on neither ranks, threads nor order.
package struct SampleKey: Sendable, Equatable {
    package let epoch: Int
    /// Its number in the list of pictures.
    package let sample: Int

    package init(epoch: Int, sample: Int) { (self.epoch, self.sample) = (epoch, sample) }
}

/// How pictures become samples, and samples a batch: a task's part of a loader.
package protocol SampleLoading: Sendable {
    /// What a step eats. Its places are filled by several threads at once, each place by one.
    associatedtype Batch: SampleBatch
    /// The working memory of one thread.
    associatedtype Workspace

    /// Keys what takes the place of pictures that cannot be read.
    var seed: UInt64 { get }
    func makeWorkspace() -> Workspace
    /// A batch with places for so many samples.
    func makeBatch(count: Int) -> Batch
    /// Fills a place of `batch` with a sample of a picture's bytes.
    ///
    /// - Parameters:
    ///   - picture: its number in the list: the key's, or that of another one in its place.
    ///   - key: of all draws.
    /// - Throws: `ImageError` where the picture is none, so that another takes its place.
    func load(
        _ bytes: [UInt8], picture: Int, key: SampleKey, into batch: Batch, position: Int, workspace: Workspace) throws
}

extension TwoViewTransform: SampleLoading {
    package func makeWorkspace() -> ViewRenderer { ViewRenderer(imageSize: imageSize) }

    package func makeBatch(count: Int) -> TwoViewBatch { TwoViewBatch(count: count, imageSize: imageSize) }

    package func load(
        _ bytes: [UInt8], picture: Int, key: SampleKey, into batch: TwoViewBatch, position: Int, workspace: ViewRenderer
    ) throws {
        try apply(bytes, epoch: key.epoch, sample: key.sample, into: batch, position: position, renderer: workspace)
    }
}
