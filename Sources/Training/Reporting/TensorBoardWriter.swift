import Files
import Glibc
package import SystemPackage
package import Threads

/// An event file for TensorBoard (and, through `wandb sync`, Weights & Biases).
///
/// Append only and one write(2) per record, because readers follow the file while it grows. A resumed run opens a new
/// file beside the old one.
package final class TensorBoardWriter {
    package var path: FilePath { file.path }
    private let file: PatientFile
    private let clock: any TimeSource

    /// Makes `directory`'s next event file; the directory must exist.
    ///
    /// - Parameter resumedAtStep: updates done when the run goes on; readers drop what an earlier file has after them.
    package init(directory: FilePath, resumedAtStep: Int = 0, clock: any TimeSource = SystemClock()) throws {
        var host = [CChar](repeating: 0, count: 256)
        gethostname(&host, host.count - 1)
        let name = host.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        let stamp = String(Int(clock.wall)).zeroPadded(to: 10)
        let paths = (0...).lazy.map {
            directory.appending("events.out.tfevents.\(stamp).\(name).\(getpid()).\($0)")
        }
        file = try Self.first(of: paths)
        self.clock = clock
        try write(.fileVersion(wallTime: clock.wall))
        // A session's start makes readers forget its own step too.
        if resumedAtStep > 0 { try write(.sessionStart(step: resumedAtStep + 1, wallTime: clock.wall)) }
    }

    /// Makes the first of the files that is not there yet.
    private static func first(of paths: some Sequence<FilePath>) throws -> PatientFile {
        for path in paths {
            do { return try PatientFile(path: path, isNew: true) } catch let error as FileError
                where error.code == EEXIST
            {
                continue
            }
        }
        preconditionFailure("names without an end")
    }

    /// A record's values, tagged `train/loss`, `evaluation/…`.
    package func write(_ record: MetricRecord) throws {
        let values = record.values.sorted { $0.key < $1.key }.map { ("\(record.kind.rawValue)/\($0.key)", $0.value) }
        guard !values.isEmpty else { return }
        try write(.scalars(values, step: record.step, wallTime: record.time))
    }

    /// Preformatted text, such as the configuration.
    package func text(_ tag: String, _ text: String, step: Int) throws {
        // Four spaces make a block of code in Markdown.
        let markdown = text.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
        try write(.text(tag, markdown.joined(separator: "\n"), step: step, wallTime: clock.wall))
    }

    package func image(_ tag: String, png: [UInt8], width: Int, height: Int, step: Int) throws {
        try write(.image(tag, png: png, width: width, height: height, step: step, wallTime: clock.wall))
    }

    /// Writes what the disk has not taken before.
    func finish() throws { try file.finish() }

    private func write(_ event: TensorBoardEvent) throws {
        try file.append(event.record)
    }
}
