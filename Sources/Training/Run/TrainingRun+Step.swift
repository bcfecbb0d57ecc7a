import DataParallel
import ImagePipeline
import Learning
import MessagePassing
import TensorCore

/// One step, and what is told of it.
extension TrainingRun {
    /// Returns the mean seconds that it took, the same on all ranks.
    func trainStep(_ batches: BatchSource<Task.Samples>) throws -> Double {
        let clock = ContinuousClock(), start = clock.now, begun = position, title = "step \(position.step + 1)"
        runtime.watchdog.begin(.step, title)
        let before = (batches.secondsWaited, communicationSeconds + batches.secondsForOthers)
        var figures = try Trace.span(title) { try trainPhases(batches) }
        var times = StepTimes()
        times.data = batches.secondsWaited - before.0
        times.communication = communicationSeconds + batches.secondsForOthers - before.1
        times.total = (clock.now - start).inSeconds
        let failures = batches.takeFailures()
        StepSummary.add(
            times: times, unreadable: failures.count, stopSignal: StopRequest.pendingSignal, to: &figures)
        let totals = try figures.reduced(over: communicator)
        let summary = StepSummary(totals, phases: task.phases)
        stopSignal = summary.stopSignal
        if summary.unreadable > 0 { try reportUnreadable(failures) }
        reporter.stepped(
            position, summary, task.observe(totals, step: position.step),
            learningRate: schedule.learningRate(at: begun), epoch: begun.epoch, schedule: schedule,
            images: batch.global * task.phases.count)
        return summary.times.total
    }

    /// The step's updates, each on a batch of its own; returns this rank's figures. Moves the position on.
    func trainPhases(_ batches: BatchSource<Task.Samples>) throws -> Figures {
        var figures = Figures()
        step.moveAverages(schedule.progress(at: position))
        for (number, phase) in task.phases.enumerated() {
            let numbers = guards[phase.module], buckets = step.reducers[phase.module].buckets
            var isAccepted = true
            numbers.begin()
            let outcome = try step.run(
                phase, batch, learningRate: schedule.learningRate(ofModule: phase.module, at: position),
                accept: {
                    isAccepted = try numbers.accepts(loss: $0.loss, gradients: buckets.map(\.gradients))
                    return isAccepted
                },
                next: {
                    runtime.watchdog.advance()
                    return try batches.next()
                })
            counts[phase.module].samples += batch.global
            if !isAccepted {
                counts[phase.module].skippedUpdates += 1
                try reportNonFinite(number, outcome.losses, numbers)
            }
            figures.add(outcome.figures)
            position = position.advanced(
                by: batch.global, epochOf: order.count, finishingStep: number == task.phases.count - 1)
        }
        return figures
    }

    /// Seconds in which this rank could only wait for others.
    private var communicationSeconds: Double {
        step.reducers.reduce(step.statistics.statistics.exposedSeconds) { $0 + $1.statistics.exposedSeconds }
    }

    /// Names the batch on which loss or gradient of a phase went wrong, and keeps it; throws where that ends the run.
    /// Collective.
    func reportNonFinite(_ phase: Int, _ losses: [Double], _ numbers: NumberGuard) throws {
        let pictures = (0..<batch.microBatches).map { micro in
            DataSource.samples(at: position, micro: micro, order: order, plan: batch, rank: communicator.rank)
                .map(index.description(of:))
        }
        let step = position.step + 1
        let saved = try archive.keep(phase, at: position, order: order, batch, namedCounts)
        runtime.watchdog.begin(.step, "step \(step)")
        let (message, names) = try numbers.report(step: step, losses: losses, pictures: pictures, saved: saved)
        reporter.nonFinite(message, step: step, pictures: names)
    }

    /// Gathers what ranks could not read, so that every file is named once whichever ranks met it. Collective.
    func reportUnreadable(_ failures: [(description: String, reason: String)]) throws {
        let lines = failures.map { "\($0.description)\t\($0.reason)" }.joined(separator: "\n")
        let gathered = try communicator.gather(Array(lines.utf8))
        let named = gathered.flatMap { String(decoding: $0, as: UTF8.self).split(separator: "\n").map(String.init) }
        let count = try communicator.broadcast([reporter.unreadable(named)])[0]
        guard Double(count) > max(10, configuration.data.unreadableLimit * Double(index.count)) else { return }
        throw TrainingError(
            "\(count) of \(index.count) images cannot be read, more than data.unreadableLimit "
                + "(\(configuration.data.unreadableLimit)) allows: is their disk or network file system failing? They are "
                + "listed in skipped.txt of the run directory, with reasons")
    }
}
