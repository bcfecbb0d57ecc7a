import Foundation

/// One figure of an encoder, and what it is to be compared with.
public struct Score: Codable, Sendable, Equatable {
    /// `knn top-1`, `linear top-1`, `segmentation mIoU`, `correspondence` or `feature spread`.
    public let name: String
    public let value: Double
    /// The value for random weights, where it was measured.
    public var floor: Double?
    /// The value of a guess, where it is known.
    public let chance: Double?
    /// Pictures trained on and pictures scored.
    public let trained: Int
    public let scored: Int

    public init(name: String, value: Double, floor: Double? = nil, chance: Double? = nil, trained: Int, scored: Int) {
        self.name = name
        self.value = value
        self.floor = floor
        self.chance = chance
        self.trained = trained
        self.scored = scored
    }
}

/// All scores of an encoder.
public struct EvaluationReport: Codable, Sendable, Equatable {
    public var scores: [Score]
    /// Each picture that could not be used, once.
    public var skipped: [SkippedPicture]
    /// What else a reader of the scores must know, a sentence each.
    public var notes: [String]

    public init(scores: [Score], skipped: [SkippedPicture] = [], notes: [String] = []) {
        self.scores = scores
        self.skipped = skipped
        self.notes = notes
    }

    /// The same scores with those of random weights as their floors.
    public func beside(floor: EvaluationReport) -> EvaluationReport {
        var report = self
        for index in scores.indices {
            report.scores[index].floor = floor.scores.first { $0.name == scores[index].name }?.value
        }
        return report
    }

    /// A table for people, in per cent where a score is a share.
    public var table: String {
        let header = ["score", "value", "random weights", "chance", "trained on", "scored on"]
        let rows = scores.map { score in
            [
                score.name, Self.text(score.value), score.floor.map(Self.text) ?? "-",
                score.chance.map(Self.text) ?? "-", score.trained == 0 ? "-" : "\(score.trained)", "\(score.scored)",
            ]
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

    private static func text(_ value: Double) -> String { String(format: "%.1f %%", 100 * value) }

    /// Readable JSON with keys in a fixed order.
    public var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }
}

/// A picture that was left out of a score, and why.
public struct SkippedPicture: Codable, Sendable, Hashable, CustomStringConvertible {
    public let name: String
    public let reason: String

    public init(name: String, reason: String) {
        self.name = name
        self.reason = reason
    }

    public var description: String { "\(name): \(reason)" }
}

/// How far a stage of the evaluation is on this rank: its name, what is done and what there is to do.
public typealias EvaluationProgress = (_ stage: String, _ done: Int, _ total: Int) throws -> Void
