import Evaluation
import Settings

/// The key by which both tasks say how sure a score is of its pictures.
extension Setting {
    /// `evaluation.resamples`.
    static func resamples(_ keyPath: any WritableKeyPath<Root, Int> & Sendable) -> Setting {
        Setting(
            "evaluation.resamples", keyPath, in: .within(0...100_000), synonyms: ["bootstrap"],
            "Draws of the scored pictures with replacement, which give scores a 95 % interval; 0: none.")
    }
}

extension [ConfusionMatrix] {
    /// The mean IoU of each of so many draws of the pictures; nil for one without a labelled pixel.
    package func resampledMeans(_ draws: Int) -> [Double?] {
        (0..<draws).map { draw in
            var sum = ConfusionMatrix(classes: first?.classes ?? 0)
            for (matrix, count) in zip(self, Resampling.counts(draw: draw, of: self.count)) where count > 0 {
                sum.add(matrix, times: count)
            }
            return sum.meanIntersectionOverUnion
        }
    }
}
