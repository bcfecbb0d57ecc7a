import Files
package import SystemPackage

/// What ranks tell their launcher by small files: mpirun, between them, may wait for a host that is gone.
package struct LauncherNotes: Sendable {
    private let directory: FilePath

    /// What the files hold is small; more of one is not read.
    private static let limit = 1 << 20

    /// - Parameter directory: made when there is something to note.
    package init(directory: FilePath) { self.directory = directory }

    private var ended: FilePath { directory.appending("ended") }
    private var silent: FilePath { directory.appending("silent") }

    // MARK: By ranks

    /// Notes the exit status with which the job ends. The first rank that does so knows the reason best.
    package func noteEnd(status: Int32) throws {
        guard !FileSystem.exists(ended) else { return }
        try write("\(status)\n", to: ended)
    }

    /// Notes which hosts have fallen silent, instead of those noted before; nothing is left where all are heard.
    package func note(silent hosts: [String]) throws {
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

    /// Removes those of an earlier job.
    package func remove() throws {
        for file in [ended, silent] { try FileSystem.remove(file) }
    }

    /// Has a network file system ask again whether there are any.
    package func lookAnew() {
        for folder in [FileSystem.parent(of: directory), directory] { FileSystem.lookAnew(at: folder) }
    }

    package var saysEnd: Bool { FileSystem.exists(ended) }
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
