package import Checkpointing
package import Learning

/// The best value of each score of a run so far: kept in checkpoints, and in metrics.jsonl from the evaluation on.
package struct BestScores: Sendable, Equatable {
    private var entries: [String: Score.Best] = [:]

    package init() {}

    /// Those that a checkpoint was made with.
    package init(_ facts: CheckpointFacts) {
        entries = facts.bestScores.mapValues { Score.Best(value: $0.value, step: $0.step) }
    }

    var facts: [String: CheckpointFacts.BestScore] {
        entries.mapValues { CheckpointFacts.BestScore(value: $0.value, step: $0.step) }
    }

    /// Takes over what metrics say of evaluations: those after the checkpoint that a run goes on from are in no other file.
    mutating func add(_ record: MetricRecord) {
        for (name, value) in record.values {
            guard let step = record.values[name + MetricRecord.bestStepSuffix] else { continue }
            let score = String(name.dropLast(MetricRecord.bestSuffix.count))
            entries[score] = Score.Best(value: value, step: Int(step))
        }
    }

    /// Adds the scores of a step, and returns them beside the best. Of equal ones the first is the best.
    package mutating func add(_ report: EvaluationReport, step: Int) -> EvaluationReport {
        var report = report
        for (index, score) in report.scores.enumerated() where score.value.isFinite {
            let before = entries[score.name]
            if before.map({ score.isBetter(than: $0.value) }) ?? true {
                entries[score.name] = Score.Best(value: score.value, step: step)
            }
            report.scores[index].best = entries[score.name]
        }
        return report
    }
}

extension Score {
    fileprivate func isBetter(than other: Double) -> Bool { better == .higher ? value > other : value < other }
}
