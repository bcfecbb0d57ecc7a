import Checkpointing
import Files
package import SystemPackage
import Training

/// What a host sees of a run's directory.
package struct RunSight: Sendable, Equatable {
    package enum Place: Sendable, Equatable {
        /// There, and the one that this run began in.
        case there
        /// Not made yet.
        case new
        /// There is none, though there was.
        case gone
        /// Another directory is at its path: a file system was unmounted, or it was made anew.
        case replaced
        /// It does not answer as a directory should.
        case failing(String)
    }

    package var place: Place
    /// The step of the newest complete checkpoint; 0 without one.
    package var newestStep = 0
    /// The last step of a checkpoint that a run which went on from an earlier one has set aside; 0 without one.
    package var setAsideStep = 0

    package init(place: Place, newestStep: Int = 0, setAsideStep: Int = 0) {
        (self.place, self.newestStep, self.setAsideStep) = (place, newestStep, setAsideStep)
    }

    /// Looks at a directory.
    ///
    /// - Parameter mark: what its file `launcher/mark` holds; nil where nobody has marked it.
    package init(_ directory: FilePath, mark: String?) {
        self.init(place: .there)
        let folder = CheckpointCatalog.checkpointsDirectory(directory)
        do {
            // A network file system may remember that there was nothing.
            FileSystem.lookAnew(at: FileSystem.parent(of: directory))
            guard try FileKind(of: directory) == .directory else {
                place = mark == nil ? .new : .gone
                return
            }
            FileSystem.lookAnew(at: directory)
            if let mark, try Self.mark(of: directory) != mark { place = .replaced }
            guard try FileKind(of: folder) == .directory else { return }
            (newestStep, setAsideStep) = try CheckpointCatalog.newestSteps(runDirectory: directory)
        } catch {
            place = .failing("\(error)")
        }
    }

    /// Why a job that begins could not use the directory now; nil where it can. A full disk is waited for like one that is
    /// away.
    static func refusal(of directory: FilePath) -> String? {
        let file = folder(directory).appending("trial")
        do {
            _ = try MetricsGlance(RunDirectory(directory).metrics)
            _ = try RunEvent.read(RunDirectory(directory).history)
            try WholeFile.write(String(repeating: "\n", count: trialBytes), to: file)
            try FileSystem.remove(file)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// More than what a run writes before its first step.
    private static let trialBytes = 1 << 17

    // MARK: The mark

    static func folder(_ directory: FilePath) -> FilePath { directory.appending("launcher") }

    private static func markFile(_ directory: FilePath) -> FilePath { folder(directory).appending("mark") }

    /// nil where nobody has marked the directory.
    static func mark(of directory: FilePath) throws -> String? {
        let file = markFile(directory)
        FileSystem.lookAnew(at: folder(directory))
        guard try FileKind(of: file) == .regular else { return nil }
        let text = try WholeFile.text(of: file, limit: 4096)
        return text.split(whereSeparator: \.isWhitespace).first.map(String.init)
    }

    /// Makes the directory where it is not there, and marks it: whoever sees the same text sees the same directory.
    static func marked(_ directory: FilePath) throws -> String {
        try FileSystem.makeDirectories(folder(directory))
        if let mark = try mark(of: directory) { return mark }
        let mark = String(UInt64.random(in: .min ... .max), radix: 36)
        try WholeFile.write(
            mark + "\nBy this file launch/train knows that every host sees the same run directory.\n",
            to: markFile(directory))
        return mark
    }
}
