package import Foundation
package import ImagePipeline

/// One figure of what a run has learned, and what it is to be compared with.
package struct Score: Codable, Sendable, Equatable {
    /// For example `knn top-1`, `segmentation mIoU` or `AP50`.
    package let name: String
    package let value: Double
    /// `share`, from 0 to 1, or what is written behind the value: `dB`, or nothing.
    package let unit: String
    package let better: Direction
    /// The best value of the run so far, where it is known, this one among them.
    package var best: Best?
    /// The value for random weights, where it was measured.
    package var floor: Double?
    /// The value of a guess, where it is known.
    package let chance: Double?
    /// Pictures trained on and pictures scored.
    package let trained: Int
    package let scored: Int
    /// Of draws of the scored pictures with replacement, where there were any; nil for a draw that leaves nothing to score.
    package var draws: [Double?]?

    package static let share = "share"

    /// Which values are better.
    package enum Direction: String, Codable, Sendable {
        case higher, lower
    }

    /// The best value of a run, and the step that it is of.
    package struct Best: Codable, Sendable, Equatable {
        package let value: Double
        package let step: Int

        package init(value: Double, step: Int) { (self.value, self.step) = (value, step) }
    }

    package init(
        name: String, value: Double, unit: String = Score.share, better: Direction = .higher, floor: Double? = nil,
        chance: Double? = nil, trained: Int, scored: Int, draws: [Double?]? = nil
    ) {
        self.name = name
        self.value = value
        self.unit = unit
        self.better = better
        self.floor = floor
        self.chance = chance
        self.trained = trained
        self.scored = scored
        self.draws = draws
    }

    /// Another value of this score as people read it.
    func text(_ value: Double) -> String {
        unit == Self.share
            ? String(format: "%.1f %%", 100 * value) : significant(value) + (unit.isEmpty ? "" : " \(unit)")
    }
}

/// All scores of an encoder.
package struct EvaluationReport: Codable, Sendable, Equatable {
    package var scores: [Score]
    /// Each picture that could not be used, once.
    package var skipped: [SkippedPicture]
    /// What else a reader of the scores must know, a sentence each.
    package var notes: [String]
    /// What people look at beside the scores; not in the JSON.
    package var pictures: [EvaluationPicture] = []

    private enum CodingKeys: CodingKey { case scores, skipped, notes }

    package init(
        scores: [Score], skipped: [SkippedPicture] = [], notes: [String] = [], pictures: [EvaluationPicture] = []
    ) {
        (self.scores, self.skipped, self.notes, self.pictures) = (scores, skipped, notes, pictures)
    }

    /// The same scores with those of random weights as their floors.
    package func beside(floor: EvaluationReport) -> EvaluationReport {
        var report = self
        for index in scores.indices {
            report.scores[index].floor = floor.scores.first { $0.name == scores[index].name }?.value
        }
        return report
    }

    /// A table for people, in per cent where a score is a share.
    package var table: String {
        var header = ["score", "value", "best so far", "random weights", "chance", "trained on", "scored on"]
        var rows = scores.map { score in
            let best = score.best.map { "\(score.text($0.value)) (step \($0.step))" }
            return [
                score.name + (score.better == .lower ? " (lower is better)" : ""), score.text(score.value), best ?? "-",
                score.floor.map(score.text) ?? "-", score.chance.map(score.text) ?? "-",
                score.trained == 0 ? "-" : "\(score.trained)", "\(score.scored)",
            ]
        }
        if scores.contains(where: { $0.draws != nil }) {
            header.append("95 % over pictures")
            for (place, score) in scores.enumerated() {
                let interval = Interval(score.draws?.compactMap { $0 } ?? [])
                rows[place].append(interval.map { "\(score.text($0.low)) to \(score.text($0.high))" } ?? "-")
            }
        }
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max()! }
        let lines = ([header] + rows).map { row in
            row.enumerated().map { column, text in
                let padding = String(repeating: " ", count: widths[column] - text.count)
                return column == 0 ? text + padding : padding + text
            }.joined(separator: "  ")
        }
        let left = skipped.isEmpty ? [] : ["skipped \(skipped.count) pictures, the first: \(skipped[0])"]
        return (lines + left + notes).joined(separator: "\n")
    }

    /// Readable JSON with keys in a fixed order.
    package var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }
}

/// A picture that was drawn while scoring.
package struct EvaluationPicture: Codable, Sendable, Equatable {
    /// What it shows, as a path without an ending.
    package let name: String
    package let width, height: Int
    package let png: Data

    package init(name: String, _ image: RGBImage) throws {
        (self.name, width, height) = (name, image.width, image.height)
        png = Data(try encodePNG(rgb: image.pixels, width: image.width, height: image.height))
    }
}

/// A picture that was left out of a score, and why.
package struct SkippedPicture: Codable, Sendable, Hashable, CustomStringConvertible {
    package let name: String
    package let reason: String

    package init(name: String, reason: String) {
        self.name = name
        self.reason = reason
    }

    /// What a listing left out.
    package init(_ item: LeftOut.Item) { self.init(name: item.path, reason: item.reason) }

    package var description: String { "\(name): \(reason)" }
}

/// How far a stage of the evaluation is on this rank: its name, what is done and what there is to do.
package typealias EvaluationProgress = (_ stage: String, _ done: Int, _ total: Int) throws -> Void
