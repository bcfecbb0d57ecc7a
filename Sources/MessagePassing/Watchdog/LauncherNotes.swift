import Files
import Glibc
package import SystemPackage

/// What ranks tell their launcher by small files: mpirun, between them, may wait for a host that is gone.
///
/// The names of the files have that of the launcher in them: another job in the same directory, one that is refused there
/// or that scores the run, is no news of this one.
package struct LauncherNotes: Sendable {
    private let directory: FilePath
    private let launcher: String?

    /// The environment variable of ranks that has their launcher's name.
    package static let variable = "PIXPRO_LAUNCHER"

    /// What the files hold is small; more of one is not read.
    private static let limit = 1 << 20

    /// - Parameters:
    ///   - directory: made when there is something to note.
    ///   - launcher: its name; nil where none has started this process, so that nothing is noted.
    package init(directory: FilePath, launcher: String?) { (self.directory, self.launcher) = (directory, launcher) }

    /// Those of this process.
    static func ofThisProcess(in directory: FilePath) -> LauncherNotes {
        LauncherNotes(directory: directory, launcher: getenv(variable).map { String(cString: $0) })
    }

    private var ended: FilePath { file("ended") }
    private var silent: FilePath { file("silent") }

    private func file(_ name: String) -> FilePath { directory.appending("\(name)-\(launcher ?? "")") }

    // MARK: By ranks

    /// Notes the exit status with which the job ends. The first rank that does so knows the reason best.
    package func noteEnd(status: Int32) throws {
        guard launcher != nil, !FileSystem.holds(ended, byteCount: 0) else { return }
        try write("\(status)\n", to: ended)
    }

    /// Notes which hosts have fallen silent, instead of those noted before; nothing is left where all are heard.
    package func note(silent hosts: [String]) throws {
        guard launcher != nil else { return }
        guard !hosts.isEmpty else { return try FileSystem.remove(silent) }
        try write(hosts.map { $0 + "\n" }.joined(), to: silent)
    }

    private func write(_ text: String, to path: FilePath) throws {
        try FileSystem.makeDirectories(directory)
        let file = try OutputFile(path: path)
        try file.append(Array(text.utf8))
        try file.finish()
    }

    // MARK: By launchers

    /// Removes those of the launcher's earlier job.
    package func remove() throws {
        for file in [ended, silent] { try FileSystem.remove(file) }
    }

    /// Has a network file system ask again whether there are any.
    package func lookAnew() {
        for folder in [FileSystem.parent(of: directory), directory] { FileSystem.lookAnew(at: folder) }
    }

    /// Not where the directory cannot be looked at: a job is not ended for that.
    package var saysEnd: Bool { FileSystem.holds(ended, byteCount: 0) }
    package var saysSilence: Bool { FileSystem.holds(silent, byteCount: 1) }

    /// The status that was noted; nil where there is none.
    package func endStatus() throws -> Int32? { try words(of: ended).first.flatMap { Int32($0) } }

    package func silentHosts() throws -> Set<String> { Set(try words(of: silent)) }

    /// None where there is no such file, as after most jobs.
    private func words(of path: FilePath) throws -> [String] {
        guard FileSystem.exists(path) else { return [] }
        return try WholeFile.text(of: path, limit: Self.limit).split(whereSeparator: \.isWhitespace).map(String.init)
    }
}
