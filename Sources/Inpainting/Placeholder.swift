// What the data part brings; to be replaced by it.
package import ImagePipeline
package import Learning
package import MessagePassing
import TensorCore

extension InpaintingTask: TrainingTask {
    package func samples(of pictures: ImageIndex) -> CentredHoles { CentredHoles(side: 64) }

    package func makeEvaluator(pictures: ImageIndex, communicator: any Collective) throws -> any TaskEvaluator {
        NoScores()
    }
}

private final class NoScores: TaskEvaluator {
    func evaluate(progress: @escaping EvaluationProgress) throws -> EvaluationReport { EvaluationReport(scores: []) }
}

package struct CentredHoles: SampleLoading {
    let side: Int
    package let seed: UInt64 = 0

    package func makeWorkspace() {}
    package func makeBatch(count: Int) -> MaskedBatch { MaskedBatch(count: count, side: side) }

    package func load(
        _ bytes: [UInt8], picture: Int, key: SampleKey, into batch: MaskedBatch, position: Int, workspace: Void
    ) throws {
        let image = try EvaluationTransform.plainView(bytes, height: side, width: side)
        batch.images.rows(position..<position + 1).copy(from: image.reshaped([1, side, side, 3]))
    }
}
