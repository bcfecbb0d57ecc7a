import Glibc

/// An event file for TensorBoard (and, through `wandb sync`, Weights & Biases).
///
/// Append only and one write(2) per record, because readers follow the file while it grows. A resumed run opens a new
/// file beside the old one.
public final class TensorBoardWriter {
    public let path: String
    private let descriptor: Int32
    private let clock: TimeSource

    /// Makes `directory`'s next event file; the directory must exist.
    ///
    /// - Parameter resumedAtStep: updates done when the run goes on; readers drop what an earlier file has after them.
    public init(directory: String, resumedAtStep: Int = 0, clock: TimeSource = .system) throws {
        var host = [CChar](repeating: 0, count: 256)
        gethostname(&host, host.count - 1)
        let name = host.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        let seconds = String(Int(clock.wall()))
        let stamp = String(repeating: "0", count: max(0, 10 - seconds.count)) + seconds
        var number = 0
        var path = ""
        var descriptor: Int32
        repeat {
            path = "\(directory)/events.out.tfevents.\(stamp).\(name).\(getpid()).\(number)"
            descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
            number += 1
        } while descriptor < 0 && errno == EEXIST
        guard descriptor >= 0 else { throw TextFileError(path: path, action: "open") }
        (self.path, self.descriptor, self.clock) = (path, descriptor, clock)
        try write(.fileVersion(wallTime: clock.wall()))
        // A session's start makes readers forget its own step too.
        if resumedAtStep > 0 { try write(.sessionStart(step: resumedAtStep + 1, wallTime: clock.wall())) }
    }

    deinit { close(descriptor) }

    /// Curves' values at one step.
    public func scalars(_ values: [(tag: String, value: Double)], step: Int) throws {
        try write(.scalars(values, step: step, wallTime: clock.wall()))
    }

    /// A record's values, tagged `train/loss`, `evaluation/…`.
    public func write(_ record: MetricRecord) throws {
        let values = record.values.sorted { $0.key < $1.key }.map { ("\(record.kind.rawValue)/\($0.key)", $0.value) }
        guard !values.isEmpty else { return }
        try write(.scalars(values, step: record.step, wallTime: record.time))
    }

    /// Preformatted text, such as the configuration.
    public func text(_ tag: String, _ text: String, step: Int) throws {
        // Four spaces make a block of code in Markdown.
        let markdown = text.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
        try write(.text(tag, markdown.joined(separator: "\n"), step: step, wallTime: clock.wall()))
    }

    public func image(_ tag: String, png: [UInt8], width: Int, height: Int, step: Int) throws {
        try write(.image(tag, png: png, width: width, height: height, step: step, wallTime: clock.wall()))
    }

    private func write(_ event: TensorBoardEvent) throws {
        try TextFile.writeAll(event.record, to: descriptor, path: path)
    }
}
