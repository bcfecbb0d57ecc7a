import ArgumentParser
import Foundation
import SystemPackage
import Training

/// From starting mpirun to the end of the first step, as a user of `pixpro train` waits for it.
struct StartBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Times the start of a run: from mpirun to its first finished step.")

    @Option(name: .shortAndLong, help: "The run's configuration.") var config: String
    @Option(help: "Ranks.", transform: wholeNumber(in: 1...1024)) var ranks = 2
    @Option(help: "Repetitions; the median counts.", transform: repetitionCount) var repetitions = 3
    @Option(name: .customLong("set"), parsing: .singleValue, help: "One key over the file; may be repeated.")
    var settings: [String] = []
    @Argument(help: "Folders of images; replaces data.roots.") var images: [String] = []
    @OptionGroup var output: OutputOptions

    func run() throws {
        var firstSteps: [Double] = [], begins: [Double] = []
        for _ in 0..<repetitions {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("pixpro-start-\(UUID())")
            let start = Date().timeIntervalSince1970
            try train(in: folder.path)
            let records = try MetricsFile.read(FilePath(folder.path + "/metrics.jsonl")).records
            guard let begin = records.first(where: { $0.kind == .start }),
                let first = records.first(where: { $0.kind == .train })
            else { throw ValidationError("the run in \(folder.path) recorded no step") }
            begins.append(begin.time - start)
            firstSteps.append(first.time - start)
            // A run that failed is left to be looked at.
            try FileManager.default.removeItem(at: folder)
        }
        output.print(
            Figure(
                name: "start",
                settings: ["config": .text((config as NSString).lastPathComponent), "ranks": .number(ranks)],
                values: ["s to first step": median(firstSteps), "s before it": median(begins)]))
    }

    /// The program beside this one, for one step.
    private func train(in folder: String) throws {
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("pixpro").path
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw ValidationError("no \(program): build it first with `swift build -c release --product pixpro`")
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["mpirun", "-n", "\(ranks)", "--bind-to", "none", program, "train", "--config", config]
            + (["run.directory=\(folder)", "schedule.steps=1", "log.everySteps=1"] + settings).flatMap {
                ["--set", $0]
            }
            + images
        // As root, which is how containers run, Open MPI wants to be told twice that this is meant.
        var environment = ProcessInfo.processInfo.environment
        environment["OMPI_ALLOW_RUN_AS_ROOT"] = "1"
        environment["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1"
        process.environment = environment
        let messages = Pipe()
        process.standardOutput = messages
        process.standardError = messages
        try process.run()
        let text = String(decoding: messages.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw ValidationError("pixpro train failed:\n\(text)") }
    }
}
