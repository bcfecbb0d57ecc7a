import Files
import Glibc
import SystemPackage

/// The terminal in which standard error ends: its own, or that of `mpirun`, which takes the ranks' standard error through
/// pipes and passes on every byte to its own.
enum StandardErrorTerminal {
    /// An open descriptor of the terminal, for its size; nil where there is none, as under a batch system.
    static let descriptor: Int32? = isatty(STDERR_FILENO) == 1 ? STDERR_FILENO : launchersTerminal()

    private static let launchers: Set<Substring> = ["mpirun", "mpiexec", "orterun", "prterun"]

    private static func launchersTerminal() -> Int32? {
        let launcher = "/proc/\(getppid())"
        // Without /proc, or on another host than mpirun's, whole lines are printed.
        guard let name = try? WholeFile.text(of: FilePath(launcher + "/comm")),
            let first = name.split(separator: "\n").first, launchers.contains(first),
            linkTarget(launcher + "/fd/2")?.hasPrefix("/dev/") == true
        else { return nil }
        let descriptor = open(launcher + "/fd/2", O_RDONLY | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        if isatty(descriptor) == 1 { return descriptor }
        close(descriptor)
        return nil
    }

    private static func linkTarget(_ path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = bytes.withUnsafeMutableBytes {
            readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
