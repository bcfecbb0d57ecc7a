import Foundation
package import ImagePipeline
package import TensorCore

/// How far a filled picture is from the truth.
///
/// All on values in 0…1, three channels, of one picture; the article gives L1, L2 and total variation in per cent.
package struct FillScores: Codable, Sendable, Equatable {
    /// The mean of |x − y|, a share.
    package var l1: Double
    /// The mean of (x − y)², a share.
    package var l2: Double
    /// −10 log₁₀ of the mean of (x − y)², in dB; 100 at most, which equal pictures get.
    package var signalToNoise: Double
    /// Structural similarity (see `StructuralSimilarity`).
    package var similarity: Double
    /// Of the filled picture alone: the mean absolute difference of horizontal neighbours and that of vertical ones, added;
    /// of pairs of which one pixel at least counts, so that the seam does.
    package var totalVariation: Double

    /// - Parameters:
    ///   - truth, filled: [H, W, 3] in −1…1.
    ///   - region: which pixels count; one at least.
    package init(truth: Tensor, filled: Tensor, similarity: StructuralSimilarity, over region: HoleMask) {
        let (height, width) = (region.height, region.width)
        precondition(
            truth.shape == [height, width, 3] && filled.shape == truth.shape && region.area > 0,
            "pictures \(truth.shape) and \(filled.shape) over \(region.area) pixels of \(height) × \(width)")
        var absolute = 0.0, squared = 0.0, alike = 0.0
        for pixel in 0..<height * width where region.holes[pixel] {
            for channel in 0..<3 {
                let difference =
                    (Double(truth.floats[3 * pixel + channel]) - Double(filled.floats[3 * pixel + channel])) / 2
                absolute += abs(difference)
                squared += difference * difference
            }
            alike += similarity.map[pixel]
        }
        let pixels = Double(region.area)
        l1 = absolute / (3 * pixels)
        l2 = squared / (3 * pixels)
        signalToNoise = min(100, -10 * log10(l2))
        self.similarity = alike / pixels
        totalVariation =
            Self.variation(filled, region, dy: 0, dx: 1) + Self.variation(filled, region, dy: 1, dx: 0)
    }

    /// The mean absolute difference of the pairs of neighbours of which one counts; 0 where there is none.
    private static func variation(_ image: Tensor, _ region: HoleMask, dy: Int, dx: Int) -> Double {
        var sum = 0.0, pairs = 0
        for y in 0..<region.height - dy {
            for x in 0..<region.width - dx where region[y, x] || region[y + dy, x + dx] {
                let here = 3 * (y * region.width + x), there = 3 * ((y + dy) * region.width + x + dx)
                for channel in 0..<3 {
                    sum += abs(Double(image.floats[here + channel]) - Double(image.floats[there + channel])) / 2
                }
                pairs += 1
            }
        }
        return pairs == 0 ? 0 : sum / Double(3 * pairs)
    }
}

/// The scores of one picture over its hole and over all of it.
package struct PictureScores: Codable, Sendable, Equatable {
    package let hole, whole: FillScores

    /// - Parameters: truth, filled: [H, W, 3] in −1…1.
    package init(truth: Tensor, filled: Tensor, mask: HoleMask) {
        let similarity = StructuralSimilarity(truth, filled)
        hole = FillScores(truth: truth, filled: filled, similarity: similarity, over: mask)
        let all = HoleMask(
            height: mask.height, width: mask.width, holes: [Bool](repeating: true, count: mask.holes.count))
        whole = FillScores(truth: truth, filled: filled, similarity: similarity, over: all)
    }
}

extension FillScores {
    /// Means over pictures, in their order.
    package init(meanOf scores: [FillScores]) {
        precondition(!scores.isEmpty, "the mean of no scores")
        func mean(_ value: KeyPath<FillScores, Double>) -> Double {
            scores.reduce(0) { $0 + $1[keyPath: value] } / Double(scores.count)
        }
        l1 = mean(\.l1)
        l2 = mean(\.l2)
        signalToNoise = mean(\.signalToNoise)
        similarity = mean(\.similarity)
        totalVariation = mean(\.totalVariation)
    }
}
