import Glibc
import NeuralNetwork
import TensorCore

/// What is taken for a detection.
package struct DetectionRule: Sendable, Equatable {
    /// Of the probability of a class, or by convention of the score.
    package var threshold: Double
    /// The best of a level that are looked at.
    package var candidates = 1000
    /// Of two of a class that overlap by more than this (IoU) the surer one stays.
    package var overlap = 0.6
    /// Most in an image.
    package var most = 100

    package init(_ convention: DetectionConvention) { threshold = convention.threshold }
}

/// An object that a detector found in an image.
package struct FoundObject: Sendable, Equatable {
    /// Inside the image, in its pixels.
    package let box: Box
    /// √(probability of the class · centerness).
    package let score: Double
    /// Its place among the categories.
    package let category: Int
    /// The point that found it, counted over all levels, finest first, row by row.
    package let point: Int
}

extension Detector {
    /// What is found in each image, the surest first; of equal ones that of the finer level, the earlier point, the lower
    /// category.
    ///
    /// - Parameter sizes: height and width of each image in pixels, without padding.
    package func detections(
        _ maps: Maps, sizes: [(height: Int, width: Int)], _ rule: DetectionRule
    ) -> [[FoundObject]] {
        var found = [[FoundObject]](repeating: [], count: sizes.count)
        found.withUnsafeMutableBufferPointer { found in
            parallelFor(sizes.count) { _, images in
                for image in images {
                    let candidates = maps.levels.indices.flatMap { level in
                        self.candidates(maps, level, image, rule).map {
                            self.object($0, maps, level, image, sizes[image])
                        }
                    }
                    let whole =
                        settings.convention.keepsEmptyBoxes
                        ? candidates : candidates.filter { $0.box.width > 0 && $0.box.height > 0 }
                    found[image] = suppressed(
                        boxes: whole.map(\.box), scores: whole.map(\.score), categories: whole.map(\.category),
                        overlap: rule.overlap, limit: rule.most
                    ).map { whole[$0] }
                }
            }
        }
        return found
    }

    /// A cell and a class that it may show.
    private struct Candidate {
        let cell, category: Int
        let score: Double
    }

    /// The best of a level in an image, the surest first.
    private func candidates(_ maps: Maps, _ level: Int, _ image: Int, _ rule: DetectionRule) -> [Candidate] {
        let output = maps.levels[level], cells = maps.points.levels[level].count, classes = settings.classes
        let logits = output.logits.value.floats, centerness = output.centerness.value.floats
        var candidates: [Candidate] = []
        for cell in 0..<cells {
            let at = image * cells + cell, nearness = sigmoid(centerness[at])
            for category in 0..<classes {
                let probability = sigmoid(logits[at * classes + category])
                let score = (probability * nearness).squareRoot()
                guard (settings.convention.thresholdsScore ? score : probability) > rule.threshold else { continue }
                candidates.append(Candidate(cell: cell, category: category, score: score))
            }
        }
        // Swift's sort is stable.
        return Array(candidates.sorted { $0.score > $1.score }.prefix(rule.candidates))
    }

    private func object(
        _ candidate: Candidate, _ maps: Maps, _ level: Int, _ image: Int, _ size: (height: Int, width: Int)
    ) -> FoundObject {
        let grid = maps.points.levels[level], (x, y) = grid.point(candidate.cell)
        let distances = maps.levels[level].distances.value.floats
        let sides = (0..<4).map { grid.stride * Double(distances[4 * (image * grid.count + candidate.cell) + $0]) }
        func clip(_ value: Double, _ limit: Int) -> Double { min(max(value, 0), Double(limit)) }
        return FoundObject(
            box: Box(
                left: clip(x - sides[0], size.width), top: clip(y - sides[1], size.height),
                right: clip(x + sides[2], size.width), bottom: clip(y + sides[3], size.height)),
            score: candidate.score, category: candidate.category, point: grid.first + candidate.cell)
    }
}

private func sigmoid(_ logit: Float) -> Double { 1 / (1 + exp(-Double(logit))) }
