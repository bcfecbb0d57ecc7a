package import Checkpointing
import DataParallel
import Files
import ImagePipeline
package import Learning
package import MessagePassing
import SystemPackage
package import TensorCore
package import Threads

/// Everything a run tells people: progress, log, metrics, the page. On ranks other than zero it is silent.
package final class RunReporter {
    private let directory: RunDirectory
    private let configuration: LoadedConfiguration
    private let isRoot: Bool
    private let hosts: [String]
    private let log: RunLog?
    private let progress: ProgressLine?
    private var records: RunRecords?
    /// What cannot be written.
    let failures: ToleratedFailures
    private var rate = RateMeter()
    private var batchRanks = 1
    private var skipped: SkippedFiles
    private var stragglers: StragglerWatch
    /// What was scored: epochs by steps.
    private var evaluations: [Int: Double] = [:]
    private let clock: any TimeSource
    private var lastReport: Double
    /// On rank zero.
    private(set) var bestScores = BestScores()

    /// `hosts` are those of the ranks.
    package init(
        _ directory: RunDirectory, _ configuration: LoadedConfiguration, hosts: [String], isRoot: Bool,
        console: Console = .standardError, clock: any TimeSource = SystemClock()
    ) throws {
        (self.clock, lastReport) = (clock, clock.monotonic)
        stragglers = StragglerWatch(hosts: hosts)
        skipped = SkippedFiles(path: directory.skipped)
        self.directory = directory
        self.configuration = configuration
        (self.isRoot, self.hosts) = (isRoot, hosts)
        let log = isRoot ? try RunLog(path: directory.log, console: console) : nil
        self.log = log
        failures = ToleratedFailures { log?.warning($0) }
        progress = log.map {
            ProgressLine(log: $0, everySeconds: configuration.configuration.log.everySeconds)
        }
    }

    /// Opens the files that depend on where the run starts, and says what is going to happen.
    package func begin(
        _ description: RunDescription, _ position: RunPosition, resumedFrom checkpoint: String?,
        bestScores: BestScores = BestScores()
    ) throws {
        guard isRoot else { return }
        try WholeFile.write(
            configuration.configuration.yaml(origins: configuration.origins), to: directory.configuration)
        try skipped.begin(isResumed: checkpoint != nil)
        batchRanks = description.batch.ranks
        let records = try RunRecords(directory, after: position.step, failures)
        self.records = records
        self.bestScores = bestScores
        for record in try MetricsFile.records(of: .evaluation, in: directory.metrics) {
            evaluations[record.step] = record.epoch
            self.bestScores.add(record)
        }
        records.add(text: configuration.configuration.yaml(), named: "configuration", step: position.step)
        description.lines.forEach(note)
        note("run directory \(directory.path.shown)")
        description.forecasts.forEach(warn)
        if let checkpoint {
            let lost = max(0, (records.lastDropped ?? 0) - position.step)
            note(
                "resuming from \(checkpoint): step \(position.step), epoch \(position.epoch)"
                    + (lost > 0 ? "; \(lost) step\(lost == 1 ? " is" : "s are") trained anew" : ""))
        }
        record(.start, position, epoch: Double(position.epoch), [:])
    }

    /// `images` are those of a step.
    package func stepped(
        _ position: RunPosition, _ summary: StepSummary, _ observation: StepObservation, learningRate: Double,
        epoch: Int,
        schedule: RunSchedule, images: Int
    ) {
        guard isRoot else { return }
        rate.add(images: images, seconds: summary.times.total)
        let times = summary.times
        let finishesEpoch = position.epoch > epoch
        let ranks = summary.rankTimes
        if let warning = stragglers.add(ranks) { warn(warning) }
        observation.warnings.forEach(warn)
        if finishesEpoch, batchRanks > 1 {
            note(
                "seconds of the last step, least/middle/most over ranks: compute \(ranks.compute.text), data "
                    + "\(ranks.data.text), waiting \(ranks.waiting.text); slowest \(stragglers.name(ranks.slowest))")
        }
        progress?.update(
            RunProgress(
                epoch: epoch + 1, epochs: schedule.epochs, step: position.step, steps: schedule.totalSteps,
                loss: summary.loss,
                learningRate: learningRate, imagesPerSecond: rate.imagesPerSecond,
                dataShare: times.data / times.total, computeShare: times.compute / times.total,
                communicationShare: times.communication / times.total,
                secondsLeft: Double((schedule.totalSteps - position.step) * images) / rate.imagesPerSecond),
            isEpochEnd: finishesEpoch)
        guard position.step.isMultiple(of: configuration.configuration.log.everySteps) || finishesEpoch else { return }
        let inEpoch = finishesEpoch ? 1 : Double(position.samplesInEpoch) / Double(schedule.epochImages)
        record(
            .train, position, epoch: Double(epoch) + inEpoch,
            [
                MetricRecord.loss: summary.loss, MetricRecord.learningRate: learningRate,
                MetricRecord.imagesPerSecond: Double(images) / times.total,
                "secondsData": times.data, "secondsCompute": times.compute,
                "secondsCommunication": times.communication,
                "secondsComputeLeast": ranks.compute.least, "secondsComputeMiddle": ranks.compute.middle,
                "secondsComputeMost": ranks.compute.most, "secondsDataLeast": ranks.data.least,
                "secondsDataMiddle": ranks.data.middle, "secondsDataMost": ranks.data.most,
                "secondsCommunicationLeast": ranks.waiting.least, "secondsCommunicationMiddle": ranks.waiting.middle,
                "secondsCommunicationMost": ranks.waiting.most, "slowestRank": Double(ranks.slowest),
            ].merging(observation.metrics) { $1 }.merging(
                summary.losses.map { ("\(MetricRecord.loss).\($0)", $1) }
            ) { $1 })
    }

    /// Names what lay among the pictures and is not used.
    func leftOut(_ leftOut: LeftOut) {
        if leftOut.ignoredCount > 0 { note("\(leftOut.ignoredCount) other files ignored: \(leftOut.ignoredByEnding)") }
        skip(leftOut.skipped.map { "\($0.path)\t\($0.reason)" }, areFailures: false)
        let unnamed = leftOut.skippedCount - leftOut.skipped.count
        if unnamed > 0 { warn("and \(unnamed) more are skipped") }
    }

    /// Lines "path<tab>reason" of pictures that could not be read; each file is said once. Returns how many such pictures
    /// there were since this start; 0 on ranks other than zero.
    package func unreadable(_ lines: [String]) -> Int {
        skip(lines, areFailures: true)
        return skipped.failureCount
    }

    private func skip(_ lines: [String], areFailures: Bool) {
        guard isRoot else { return }
        for line in skipped.add(lines, areFailures: areFailures) {
            let parts = line.split(separator: "\t", maxSplits: 1)
            warn("skipping \(parts[0]): \(parts.count > 1 ? String(parts[1]) : "unreadable")")
        }
        failures.attempt { try skipped.write() }
    }

    /// A step that was skipped: in the log, and with all its pictures in a file.
    package func nonFinite(_ message: String, step: Int, pictures: [String]) {
        guard isRoot else { return }
        warn(message)
        failures.attempt {
            try AppendedFile(path: directory.nonFinite).append(
                pictures.flatMap { Array("\(step)\t\($0)\n".utf8) })
        }
    }

    /// Whether this epoch has been scored, perhaps at an earlier step, in batches of another size; true on ranks other than
    /// zero.
    package func hasScores(of position: RunPosition) -> Bool {
        !isRoot || evaluations[position.step] != nil || evaluations.values.contains(Double(position.epoch))
    }

    package func stopped(_ position: RunPosition, by signal: String) {
        guard isRoot else { return }
        writeReport()
        records?.finish()
        progress?.finish()
        note("stopped by \(signal) after step \(position.step), which is saved: the same command goes on from there")
    }

    /// Ranks came to differ, and all have gone back to a checkpoint.
    package func wentBack(
        _ finding: String, from step: Int, to position: RunPosition, _ checkpoint: String, _ bestScores: BestScores
    ) {
        guard isRoot else { return }
        warn(
            "after step \(step) \(finding); all ranks go back to \(checkpoint): step \(position.step), and "
                + "\(step - position.step) steps are trained anew; check the memory of those hosts")
        self.bestScores = bestScores
        evaluations = evaluations.filter { $0.key <= position.step }
        records?.goBack(to: position.step)
        record(.start, position, epoch: Double(position.epoch), [:])
    }

    package func saved(_ outcome: SaveOutcome) {
        switch outcome {
        case .committed(let path, let bytes, let seconds, let warnings):
            note("saved \(path.shown) (\(bytes >> 20) MiB in \(significant(seconds)) s)")
            warnings.forEach(warn)
        case .failed(let reason):
            warn("the checkpoint was NOT saved: \(reason); training goes on, earlier checkpoints are untouched")
        }
    }

    package func evaluating(_ stage: String, _ done: Int, _ total: Int) {
        log?.console.redraw("\(stage) \(done)/\(total)")
    }

    package func evaluated(_ report: EvaluationReport, _ position: RunPosition) {
        guard isRoot else { return }
        guard !report.scores.isEmpty else { return report.notes.forEach(note) }
        let report = bestScores.add(report, step: position.step)
        note("after epoch \(position.epoch)\n" + report.table)
        var values: [String: Double] = [:]
        for score in report.scores {
            values[score.name] = score.value
            if let floor = score.floor { values[score.name + MetricRecord.floorSuffix] = floor }
            guard let best = score.best else { continue }
            let name = score.name + MetricRecord.bestSuffix
            (values[name], values[name + MetricRecord.bestStepSuffix]) = (best.value, Double(best.step))
        }
        record(.evaluation, position, epoch: Double(position.epoch), values)
        records?.add(report.pictures, step: position.step)
        writeReport()
    }

    /// Writes the page of the run anew. Nothing waits for the disk: the other ranks would wait too, and all that it shows
    /// is in other files.
    package func writeReport() {
        guard isRoot else { return }
        lastReport = clock.monotonic
        failures.attempt {
            let page = try ReportPage([try RunRecord(directory)], clock: clock).html()
            try WholeFile.write(Array(page.utf8), to: directory.report, isDurable: false)
        }
    }

    /// The same at the end of an epoch, unless it was written within ten minutes: a long run's metrics take seconds to read.
    package func writeReportIfOld() {
        if clock.monotonic - lastReport > 600 { writeReport() }
    }

    /// `peakMemory` is the most that any rank has had resident, in bytes.
    package func finish(
        _ position: RunPosition, _ modules: [(name: String, counts: ModuleCounts)], peakMemory: Int
    ) {
        guard isRoot else { return }
        writeReport()
        records?.finish()
        progress?.finish()
        note(
            "finished after \(position.step) steps and \(position.samples) images; peak memory of a rank "
                + "\(significant(Double(peakMemory) / 1e9)) GB; its page is \(directory.report.shown)")
        for (name, counts) in modules where counts.skippedUpdates > 0 {
            note("\(counts.skippedUpdates) updates of \(name) were skipped, listed in \(directory.nonFinite.shown)")
        }
        if skipped.count > 0 { note("\(skipped.count) unreadable files, listed in \(directory.skipped.shown)") }
    }

    /// Says where the time went. Collective.
    package func account(_ account: TimeAccount, loadsBetweenSteps: Bool, over ranks: any Collective) throws {
        let seconds = account.seconds
        note(try RunAccount(seconds, hosts: hosts, loadsBetweenSteps: loadsBetweenSteps, over: ranks).text)
    }

    /// Says which part of the time since the run's first start brought it further.
    func tellGoodput(_ position: RunPosition) {
        guard isRoot else { return }
        failures.attempt {
            guard let goodput = Goodput(try RunEvent.read(directory.history), now: clock.wall) else { return }
            note(goodput.text)
            record(.end, position, epoch: Double(position.epoch), goodput.metrics)
        }
    }

    package func note(_ text: String) { log?.info(text) }
    package func warn(_ text: String) { log?.warning(text) }

    private func record(_ kind: MetricRecord.Kind, _ position: RunPosition, epoch: Double, _ values: [String: Double]) {
        let record = MetricRecord(kind, step: position.step, epoch: epoch, values: values)
        if kind == .evaluation { evaluations[position.step] = epoch }
        records?.add(record)
    }
}
