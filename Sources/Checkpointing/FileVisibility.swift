import Files
import Glibc
import SystemPackage

/// Patience with a shared file system, which may show a file seconds after another host has finished it.
///
/// All files that one `FileVisibility` waits for share its limit, so that many lost ones cost no more than one.
struct FileVisibility {
    /// Seconds from the first wait on.
    let limit: Double
    private var deadline: ContinuousClock.Instant?

    private static let firstPause = 0.05, longestPause = 1.0

    init(limit: Double) { self.limit = limit }

    /// Whether `isThere` comes to hold of a file in `directory` within the limit; looks again after growing pauses.
    mutating func wait(in directory: FilePath, until isThere: () throws -> Bool) rethrows -> Bool {
        var pause = Self.firstPause
        while try !isThere() {
            let now = ContinuousClock.now
            let end = deadline ?? now + .seconds(limit)
            deadline = end
            guard now < end else { return false }
            usleep(useconds_t(pause * 1e6))
            pause = min(2 * pause, Self.longestPause)
            FileSystem.lookAnew(at: directory)
        }
        return true
    }

    /// Waits for a file of at least `byteCount` bytes.
    mutating func wait(for path: FilePath, byteCount: Int) -> Bool {
        wait(in: FileSystem.parent(of: path)) { FileSystem.holds(path, byteCount: byteCount) }
    }
}
