import Drawing
import Files
import Foundation
import Learning
import MessagePassing
import SystemPackage
package import Training

/// Does the runs of a study one after another, each as `pixpro launch` does a run, and keeps their scores.
package final class StudyWork: Sendable {
    private let study: Study
    /// By the names of jobs.
    private let configurations: [String: RunConfiguration]
    private let options: Launcher.Options

    /// Begins to listen to signals, unless nothing is done; to be called on the main thread, before any other is there.
    ///
    /// - Parameters:
    ///   - configurations: of each job, by its name.
    ///   - options: of each launch; a dry run tells what is to be done.
    package init(_ study: Study, _ configurations: [String: RunConfiguration], options: Launcher.Options) {
        (self.study, self.configurations, self.options) = (study, configurations, options)
        if !options.isDryRun { StopSignals.install() }
    }

    /// Until all runs are done, or one cannot be; returns the exit status.
    package func run() async -> Int32 {
        do { return try await work() } catch { return Launcher.refuse(error) }
    }

    private func work() async throws -> Int32 {
        var results: [String: StudyResult] = [:]
        for job in study.jobs { results[study.name(of: job)] = try result(of: job) }
        say("\(results.count) of \(study.jobs.count) runs are done, in \(study.directory.shown)")
        if options.isDryRun {
            for job in study.jobs {
                let name = study.name(of: job)
                print(results[name] == nil ? "to do  \(name)" : "done   \(name)")
            }
            return 0
        }
        for directory in Set([study.directory, study.pretrainingDirectory]) {
            for folder in ["runs", "configurations", "results", "weights"] {
                try FileSystem.makeDirectories(directory.appending(folder))
            }
        }
        try checkWhatBeginsWithOthers(results)
        let weights = StudyWeights(study)
        for (place, job) in study.jobs.enumerated() {
            let name = study.name(of: job)
            if try results[name] != nil || isBegun(job) { try weights.checkBeginning(of: job) }
            if results[name] == nil {
                try weights.forgetNameless(of: job)
                if try !isBegun(job) { try weights.noteBeginning(of: job) }
                say("run \(place + 1) of \(study.jobs.count): \(name)")
                let status = try await train(job)
                guard status == 0 else { return status }
                let result = try await finish(job)
                results[name] = result
            }
            if case .pretraining(let place) = job { try await export(weights, study.pretrainings[place], job) }
            try report(results)
            if StopSignals.asked != nil { return stoppedExitStatus }
        }
        print(try markdown(results), terminator: "")
        return 0
    }

    private func say(_ text: String) { LauncherLog.print("study: \(text)") }

    // MARK: A run

    private func configuration(of job: Study.Job) -> RunConfiguration { configurations[study.name(of: job)]! }

    /// Of a job that is done; an error where that was with another configuration.
    private func result(of job: Study.Job) throws -> StudyResult? {
        guard let result = try StudyResult(study.result(of: job)) else { return nil }
        let now = configuration(of: job).yaml()
        if result.configuration == now {
            if case .fineTuning = job { try check(result) }
            return result
        }
        let lines = { (text: String) in text.split(separator: "\n").map(String.init) }
        let (before, after) = (lines(result.configuration), lines(now))
        let difference = zip(before, after).first { $0 != $1 }.map { "'\($0)' then, '\($1)' now" } ?? "other keys"
        throw LaunchError(
            .configuration,
            "\(study.name(of: job)) was trained with another configuration (\(difference)): give the study another directory, "
                + "or remove \(study.result(of: job).shown) and \(study.run(of: job).shown) to train it anew")
    }

    /// Throws where a result has not the score that is compared, or not as many draws as the others: intervals need both.
    private func check(_ result: StudyResult) throws {
        let draws = try result.score(study.score).draws?.count ?? 0
        guard draws != study.resamples else { return }
        let drawn = result.scores.filter { $0.draws != nil }.map { "'\($0.name)'" }.joined(separator: ", ")
        let anew =
            "remove the file of \(result.run) in \(study.directory.appending("results").shown) to have it scored anew"
        let remedy =
            draws > 0
            ? "set it back, or \(anew)"
            : "set resamples: 0 to go without intervals, or "
                + (drawn.isEmpty
                    ? "score to one that is drawn (such as mIoU, AP or AP50); if it was scored without draws, \(anew)"
                    : "score to one that is drawn (\(drawn))")
        throw LaunchError(
            .configuration,
            "\(result.run) has \(draws) draws of '\(study.score)', and resamples is \(study.resamples): \(remedy)")
    }

    private func train(_ job: Study.Job) async throws -> Int32 {
        let configuration = configuration(of: job)
        let file = study.configuration(of: job)
        try WholeFile.write(configuration.yaml(), to: file)
        let arguments = ["--config", FileSystem.absolute(file).text]
        let status = await Launcher(options, configuration: configuration, arguments: arguments).run()
        switch status {
        case 0: break
        case stoppedExitStatus: say("stopped; start it again to go on")
        default:
            say(
                "\(study.name(of: job)) ended with status \(status); runs that are done are kept: start it again to go on"
            )
        }
        return status
    }

    /// Scores a run that is trained, and keeps what is known of it.
    private func finish(_ job: Study.Job) async throws -> StudyResult {
        let run = study.run(of: job), records = try MetricsFile.read(RunDirectory(run).metrics).records
        var scores: [Score] = []
        if case .fineTuning = job {
            let answer = await program([
                "evaluate", run.text, "--json", "--set", "evaluation.resamples=\(study.resamples)",
            ])
            guard answer.status == 0 else {
                throw LaunchError(.configuration, "\(study.name(of: job)) cannot be scored: \(answer.lastWords)")
            }
            scores = try JSONDecoder().decode(EvaluationReport.self, from: Foundation.Data(answer.output.utf8)).scores
        }
        let result = StudyResult(
            run: study.name(of: job), seconds: StudyResult.seconds(of: records), scores: scores,
            configuration: configuration(of: job).yaml())
        try result.write(to: study.result(of: job))
        if case .fineTuning = job { try check(result) }
        return result
    }

    /// Whether its ranks have found each other, pictures and weights, now or before.
    private func isBegun(_ job: Study.Job) throws -> Bool {
        try RunEvent.read(RunDirectory(study.run(of: job)).history).contains { $0.kind == .start }
    }

    /// Throws where a pretraining is to be trained whose weights runs have begun with.
    private func checkWhatBeginsWithOthers(_ results: [String: StudyResult]) throws {
        for case .pretraining(let place) in study.jobs where results[study.name(of: .pretraining(place))] == nil {
            let begun = try study.jobs.filter { job in
                guard case .fineTuning(let start, _, _) = job else { return false }
                return try study.starts[start].pretraining == study.pretrainings[place]
                    && (results[study.name(of: job)] != nil || isBegun(job))
            }
            guard let first = begun.first else { continue }
            throw LaunchError(
                .configuration,
                "\(study.name(of: .pretraining(place))) is to be trained, and \(begun.count) runs began with its weights before "
                    + "(\(study.name(of: first)) is one): remove their results in \(study.directory.shown), and their runs, to train "
                    + "them anew")
        }
    }

    /// Writes the networks that starts begin with, where they are not there yet, or are those of an earlier training.
    private func export(_ weights: StudyWeights, _ pretraining: String, _ job: Study.Job) async throws {
        for start in study.starts where start.pretraining == pretraining {
            guard let file = study.weights(of: start), try !weights.areOf(job, file) else { continue }
            let network = start.network.map { ["--network", $0] } ?? []
            let answer = await program(["export", study.run(of: job).text, "--output", file.text] + network)
            guard answer.status == 0 else {
                throw LaunchError(.configuration, "the start '\(start.name)' cannot be exported: \(answer.lastWords)")
            }
            try weights.note(file, areOf: job)
        }
    }

    /// Of as many draws as a study may ask for, in several scores.
    private static let outputLimit = 1 << 28

    /// A command of the program on this machine; scoring takes minutes, not days.
    private func program(_ arguments: [String]) async -> Command.Answer {
        await Command.run([options.program.text] + arguments, seconds: 86_400, outputLimit: Self.outputLimit)
    }

    // MARK: Tables

    private func markdown(_ results: [String: StudyResult]) throws -> String {
        var seconds: [String: Double] = [:]
        for (place, pretraining) in study.pretrainings.enumerated() {
            seconds[pretraining] = results[study.name(of: .pretraining(place))]?.seconds
        }
        return try StudyTable(study, results).markdown(study, pretrainingSeconds: seconds)
    }

    /// Writes table.md and report.html with what is known so far.
    private func report(_ results: [String: StudyResult]) throws {
        let text = try markdown(results), chart = try StudyTable(study, results).chart(study)
        try WholeFile.write(text, to: study.directory.appending("table.md"))
        let title = study.directory.lastComponent?.string ?? "study"
        try WholeFile.write(
            ReportStyle.page(title, "<h1>\(title.escaped)</h1>\(chart.figure)<pre>\(text.escaped)</pre>"),
            to: study.directory.appending("report.html"))
    }
}
