import Checkpointing
import Files
import ImagePipeline
package import Learning
package import MessagePassing
import NeuralNetwork
package import Settings
package import SystemPackage
import TensorCore

/// Says of pictures what a run has learned: the command `pixpro predict`.
package final class RunPrediction {
    private let predictor: any TaskPredictor
    private let index: ImageIndex
    private let output: FilePath
    private let communicator: any Collective
    private let watchdog: Watchdog
    private let console: Console?

    /// Opens the checkpoint of `step`, or the newest, and lists the pictures. Collective.
    ///
    /// - Parameter output: a folder that is new or empty, so that nothing of a user's is overwritten.
    package init(
        runDirectory: FilePath, step: Int?, pictures: [FilePath], output: FilePath, options: PredictionOptions,
        overrides: [String], tasks: [any TaskSettings.Type], runtime: MPIRuntime
    ) throws {
        let world = runtime.world
        communicator = world
        self.output = output
        watchdog = runtime.watchdog
        let reader = try WeightsExport(runDirectory: runDirectory, step: step, communicator: world).reader
        let facts = reader.manifest.facts
        predictor = try world.agree(on: "reading the configuration") {
            let run = try RunConfiguration.parse(
                yaml: facts.configuration, name: reader.directory.shown, overrides: overrides, tasks: tasks
            ).configuration
            guard options.masks == nil || run.definition.takesMasks else {
                throw TrainingError("the task \(run.taskName.name) fills no holes: leave --masks out")
            }
            guard let predictor = try run.definition.makePredictor(facts.architecture, options) else {
                throw TrainingError("the task \(run.taskName.name) has nothing to say of single pictures")
            }
            return predictor
        }
        try TrainingState(predictor.states).loadToUse(reader)
        try world.agree(on: "preparing \(output.shown)") {
            guard world.isRoot else { return }
            try FileSystem.makeDirectories(output)
            guard try FileSystem.names(in: output).isEmpty else {
                throw TrainingError("\(output.shown) is not empty; name a new folder, so that nothing is overwritten")
            }
        }
        index = try DataSource.index(pictures, excluding: output, runtime)
        try world.agree(on: "naming what is written") { [index] in try Self.checkNames(index) }
        console = world.isRoot ? .standardError : nil
        console?.print("looking at \(index.count) pictures by \(reader.directory.shown)")
    }

    /// Throws where two pictures would have files of one name.
    private static func checkNames(_ index: ImageIndex) throws {
        var owners: [FilePath: Int] = [:]
        for picture in 0..<index.count {
            if let other = owners.updateValue(picture, forKey: stem(picture, index)) {
                throw TrainingError(
                    "\(index.description(of: other)) and \(index.description(of: picture)) would have files of one name: "
                        + "look at them one after the other, with an output folder for each")
            }
        }
    }

    /// Below the output's folder: names in lists may have roots, or lead out of the list's folder.
    private static func stem(_ picture: Int, _ index: ImageIndex) -> FilePath {
        index.name(of: picture).belowAnyFolder.withoutEnding
    }

    /// What was done.
    package struct Outcome: Sendable {
        package let pictures: Int
        /// How many could not be read, and of them the first, on rank zero also those that listing left out.
        package let skippedCount: Int
        package let skipped: [String]
    }

    /// Each rank looks at a part of the pictures. Collective.
    package func run() throws -> Outcome {
        defer { console?.clear() }
        watchdog.begin(.evaluate)
        var skipped: [String] = [], records: [[String]] = []
        let part =
            communicator.rank * index.count / communicator.size..<(communicator.rank + 1) * index.count
            / communicator.size
        try communicator.agree(on: "looking at pictures") {
            for picture in part {
                watchdog.advance()
                console?.redraw("picture \(picture - part.lowerBound + 1)/\(part.count)")
                do {
                    records.append(try write(picture))
                } catch let error as ImageError {
                    records.append([])
                    skipped.append("\(index.description(of: picture)): \(error.reason)")
                }
            }
        }
        try writeRecords(records)
        let all = try communicator.allGather(Array(skipped.joined(separator: "\n").utf8)).flatMap {
            String(decoding: $0, as: UTF8.self).split(separator: "\n").map(String.init)
        }
        let listed = index.leftOut.skipped.map { "\($0.path): \($0.reason)" }
        return Outcome(
            pictures: index.count - all.count, skippedCount: index.leftOut.skippedCount + all.count,
            skipped: listed + all)
    }

    /// Writes the files of a picture; returns its records.
    private func write(_ picture: Int) throws -> [String] {
        let prediction = try predictor.predict(
            PredictedPicture(name: index.name(of: picture), bytes: try index.bytes(of: picture)))
        let stem = output.pushing(Self.stem(picture, index))
        try FileSystem.makeDirectories(stem.removingLastComponent())
        for file in prediction.files {
            try WholeFile.write(file.bytes, to: stem.appending(suffix: file.ending), isDurable: false)
        }
        return prediction.records
    }

    /// Writes the file of all pictures on rank zero. Collective.
    private func writeRecords(_ own: [[String]]) throws {
        guard let name = predictor.recordsFile else { return }
        var writer = PackedWriter()
        writer.add(own) { writer, lines in writer.add(lines) { writer, line in writer.add(line) } }
        let all = try communicator.allGather(writer.bytes).flatMap { bytes in
            var reader = PackedReader(bytes)
            return try reader.list { try $0.list { try $0.string() } }
        }
        try communicator.agree(on: "writing \(name)") {
            guard communicator.isRoot else { return }
            let text = try predictor.records(
                all.enumerated().map { ($0 + 1, index.name(of: $0).text, $1) })
            try WholeFile.write(Array(text.utf8), to: output.appending(name), isDurable: false)
        }
    }
}
