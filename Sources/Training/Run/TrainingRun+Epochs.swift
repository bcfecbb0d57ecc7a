import Learning
import MessagePassing
import TensorCore

/// What happens between two epochs.
extension TrainingRun {
    /// Whether the run that is resumed ended after an epoch and before its scores. Collective.
    func isEvaluationMissing() throws -> Bool {
        guard schedule.isAfterEpoch(position), schedule.isEvaluationDue(at: position) else {
            return false
        }
        return try communicator.maximum([reporter.hasScores(of: position) ? 0 : 1])[0] > 0
    }

    func finishEpoch() throws {
        if schedule.isEvaluationDue(at: position) {
            // Scoring may take longer than all since the last checkpoint.
            if position.step > checkpoints.savedStep { try save() }
            try evaluate()
        }
        reporter.writeReportIfOld()
    }

    /// Scores what has been learned, unless a signal comes: then all ranks leave it together, and a resumed run does it anew.
    func evaluate() throws {
        reporter.note("evaluating after epoch \(position.epoch)")
        runtime.watchdog.begin(.evaluate, "after epoch \(position.epoch)")
        do {
            let report = try spending(.evaluating, .evaluation) {
                try evaluator.evaluate { [reporter, runtime] in
                    runtime.watchdog.advance()
                    reporter.evaluating($0, $1, $2)
                    if StopRequest.isPending { throw EvaluationInterruption() }
                }
            }
            reporter.evaluated(report, position)
        } catch let error as AgreedError {
            stopSignal = Int32(try communicator.maximum([Int64(StopRequest.pendingSignal)])[0])
            guard stopSignal != 0 else { throw error }
            reporter.note("the evaluation is left; it is done anew when the run goes on")
        }
    }
}

/// A signal came while a run was being scored.
private struct EvaluationInterruption: Error {}
