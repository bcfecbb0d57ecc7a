import Files
import MessagePassing
import Settings
import SystemPackage
import Threads
import Training

/// One job of a run, from its mpirun line to its end.
extension Launcher {
    /// Starts a job and waits for its end.
    ///
    /// - Parameters:
    ///   - hasBegun: whether an earlier job of this launcher has begun the run.
    ///   - lookEarly: asks all hosts while it is still ending.
    func start(
        _ preflight: Preflight, _ asking: PreflightCommand, _ question: HostQuestion, number: Int, _ before: RunSight,
        hasBegun: Bool, after fault: Recovery.Fault?,
        lookEarly: @escaping @Sendable (@escaping EarlyLook.Need) async -> EarlyLook.Answers
    ) async throws -> JobEnd {
        let plan = try plan(preflight, before, hasBegun: hasBegun), missing = preflight.missing.count
        // Kept with the run: temporary folders are cleared of what has aged.
        let hostFile = RunSight.folder(directory).appending("hosts")
        try WholeFile.write(plan.hostFile, to: hostFile)
        log.note(
            "start \(number) on \(plan.summary)\(plan.isBySocket ? ", one rank a socket" : ""), from step "
                + "\(max(before.newestStep, preflight.memoryStep))")
        for line in preflight.ready.compactMap(\.equipment) { log.note(line) }
        log.forget()
        if missing > 0 { log.say("going on without \(missing) of \(preflight.findings.count) hosts") }
        let files = RunDirectory(directory), glance = try MetricsGlance(files.metrics), begin = clock.monotonic
        let starts = try RunEvent.read(files.history).count { $0.kind == .start }
        let job = Job(
            words: words(
                plan, hostFile: hostFile, asking, launcher: name,
                resume: resume(newestStep: before.newestStep, hasBegun: hasBegun)),
            environment: Environment.forMPI,
            notes: notes,
            hasBegun: { (try? MetricsGlance(files.metrics)).map { $0.since(glance).start != nil } },
            mayEnd: { [early, clock] in early.begin(now: clock.monotonic, lookEarly) },
            say: { [log] in log.say($0) })
        let returning = Task { [log] in await asking.sayWhoReturns(preflight.missing, question) { log.say($0) } }
        let seen = Watermark(before.newestStep), directory = directory
        let watching = Task { await seen.watch(directory, question.mark) }
        let telling = Task { await tell(of: fault, files.history) }
        defer { for task in [returning, watching, telling] { task.cancel() } }
        let ending = try await job.run(), status = ending.status, ended = clock.wall
        RunEvent.noteEnd(of: files, status: status)
        let done = glimpse(files, since: glance, starts: starts)
        var end = JobEnd(
            status: status, began: done.map { $0.start != nil } ?? true, lastStep: done?.lastStep,
            newestStep: seen.step, seconds: clock.monotonic - begin, isRenewal: ending.isRenewal)
        end.isOutOfSight = done == nil
        if let step = done?.lastStep, let time = done?.lastTime {
            end.fault = Recovery.Fault(lastSign: time, lastStep: step, noticed: ending.noticed, ended: ended)
        }
        if status != 0 && status != stoppedExitStatus { log.say("the job ended with status \(status): \(end.meaning)") }
        log.note(cost(end, plan, before, number))
        return end
    }

    /// What a job has done that has ended; nil where that is out of sight, which is said.
    ///
    /// - Parameter starts: how many the run's history had before.
    private func glimpse(_ files: RunDirectory, since glance: MetricsGlance, starts: Int) -> MetricsGlance? {
        do {
            var done = try MetricsGlance(files.metrics).since(glance)
            // The metrics may have every hundredth step.
            let events = try RunEvent.read(files.history)
            if events.count(where: { $0.kind == .start }) > starts, let beat = RunEvent.lastBeat(of: events),
                let step = beat.step, step > done.lastStep ?? 0
            {
                (done.lastStep, done.lastTime) = (step, beat.time)
            }
            return done
        } catch {
            log.say("how far the job came cannot be seen: \(error)")
            return nil
        }
    }

    /// Says what a fault has cost once the run is back, and does nothing where there was none; until the task is cancelled.
    private func tell(of fault: Recovery.Fault?, _ history: FilePath) async {
        guard let fault else { return }
        let started = clock.wall, known = (try? RunEvent.read(history).count) ?? 0
        while true {
            do { try await Task.sleep(for: .milliseconds(250)) } catch { return }
            // A history that is out of sight is looked at again.
            guard let events = try? RunEvent.read(history),
                let recovery = Recovery(after: fault, started: started, history: events, known: known)
            else { continue }
            return log.say(recovery.text)
        }
    }

    /// What a start was worth.
    private func cost(_ end: JobEnd, _ plan: JobPlan, _ before: RunSight, _ number: Int) -> String {
        let hostHours = end.seconds * Double(plan.hosts.count) / 3600
        let newest = RunSight(directory, mark: nil).newestStep
        let steps =
            end.lastStep.map { "trained to step \($0)" }
            ?? (end.isOutOfSight ? "it cannot be seen how far it came" : "no step trained")
        return "start \(number) ended with status \(end.status) after \(TimeText.duration(end.seconds)), "
            + "\((hostHours * 100).rounded() / 100) host hours: \(steps) from step \(before.newestStep); the newest "
            + "checkpoint on disk is step \(newest)"
    }
}
