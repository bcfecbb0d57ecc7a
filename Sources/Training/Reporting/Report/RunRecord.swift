import Files
import Foundation
import SystemPackage

/// What a run's directory tells of it: all that a report is made from.
package struct RunRecord: Sendable {
    package let directory: RunDirectory
    let metrics: [MetricRecord]
    let configuration: String
    /// How much of the time brought it further, up to its last sign of life; nil where it has no history.
    let goodput: Goodput?
    /// What it was trained on, in order, each once.
    let machines: [String]
    /// The log's last lines.
    let log: String
    /// What was drawn while scoring, by the step's number.
    let pictures: [(step: Int, files: [FilePath])]

    /// What people call it.
    var name: String { directory.path.lastComponent.map { shownText($0.string) } ?? directory.path.shown }

    private static let logLines = 200

    /// Throws where the directory is none of a run.
    package init(_ directory: RunDirectory) throws {
        self.directory = directory
        guard FileSystem.exists(directory.metrics) else {
            throw TrainingError(
                "\(directory.path.shown) is not the directory of a run: it has no metrics.jsonl; name the run.directory of one"
            )
        }
        metrics = try MetricsFile.read(directory.metrics).records
        configuration =
            FileSystem.exists(directory.configuration) ? try WholeFile.text(of: directory.configuration) : ""
        let events = try RunEvent.read(directory.history)
        goodput = events.last.flatMap { Goodput(events, now: $0.time) }
        machines = events.compactMap(\.machine).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        let lines =
            FileSystem.exists(directory.log)
            ? try WholeFile.text(of: directory.log).split(separator: "\n", omittingEmptySubsequences: false) : []
        log = lines.suffix(Self.logLines).joined(separator: "\n")
        pictures = try Self.pictures(below: directory.pictures)
    }

    private static func pictures(below folder: FilePath) throws -> [(step: Int, files: [FilePath])] {
        guard FileSystem.isDirectory(folder) else { return [] }
        var bySteps: [Int: [FilePath]] = [:]
        for file in try FolderTree.files(below: folder) where file.extension == "png" {
            guard let first = file.components.first?.string, first.hasPrefix("step-"),
                let step = Int(first.dropFirst(5))
            else { continue }
            bySteps[step, default: []].append(file)
        }
        return bySteps.sorted { $0.key < $1.key }.map { ($0.key, $0.value.sorted { $0.string < $1.string }) }
    }

    // MARK: What it comes to

    var training: [MetricRecord] { metrics.filter { $0.kind == .train } }
    var evaluations: [MetricRecord] { metrics.filter { $0.kind == .evaluation } }
    var starts: [MetricRecord] { metrics.filter { $0.kind == .start } }

    /// Each score with its last value, its best, and that of random weights.
    var scores: [(name: String, last: Double, best: Double?, random: Double?)] {
        guard let last = evaluations.last else { return [] }
        return last.values.filter { !MetricRecord.isBesideScore($0.key) }.sorted { $0.key < $1.key }.map {
            name, value in
            (
                name, value, last.values[name + MetricRecord.bestSuffix],
                last.values[name + MetricRecord.floorSuffix]
            )
        }
    }

    /// Seconds of the steps by what they were spent on, as means over ranks; the first steps of each start are left out,
    /// in which kernels and files warm up.
    var secondsByPart: [(name: String, seconds: Double)] {
        let beginnings = Set(starts.flatMap { $0.step + 1...$0.step + Self.warmUp })
        let steps = training.filter { !beginnings.contains($0.step) }
        return [
            ("computing", "secondsCompute"), ("waiting for pictures", "secondsData"),
            ("waiting for other ranks", "secondsCommunication"),
        ].map { name, key in (name, steps.reduce(0) { $0 + ($1.values[key] ?? 0) }) }
    }

    private static let warmUp = 3
}
