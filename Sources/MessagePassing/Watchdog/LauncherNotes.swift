import Files
package import SystemPackage

/// What ranks tell a launcher by small files, which it removes before a start: the connection to them may be what broke.
package struct LauncherNotes: Sendable {
    private let directory: FilePath

    /// - Parameter directory: made when there is something to note.
    package init(directory: FilePath) { self.directory = directory }

    /// The job's exit status, for a launcher whose mpirun waits for a host that is gone.
    package var ended: FilePath { directory.appending("ended") }
    /// Hosts that have fallen silent, one a line; no file where all are heard.
    package var silent: FilePath { directory.appending("silent") }

    /// The first rank that notes an end knows the reason best.
    package func noteEnd(status: Int32) throws {
        guard !FileSystem.exists(ended) else { return }
        try write("\(status)\n", to: ended)
    }

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
}
