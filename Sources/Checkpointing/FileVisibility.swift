import Files
import SystemPackage
import Threads

/// Patience with a shared file system, which may show a file seconds after another host has finished it.
///
/// All files that one `FileVisibility` waits for share its limit, so that many lost ones cost no more than one.
struct FileVisibility {
    /// Seconds from the first wait on.
    let limit: Double
    private let files: any FileOperations
    private let clock: any TimeSource
    private var deadline: Double?

    private static let firstPause = 0.05, longestPause = 1.0

    init(limit: Double, files: any FileOperations, clock: any TimeSource) {
        (self.limit, self.files, self.clock) = (limit, files, clock)
    }

    /// Whether `isThere` comes to hold of a file in `directory` within the limit; looks again after growing pauses.
    mutating func wait(in directory: FilePath, until isThere: () throws -> Bool) rethrows -> Bool {
        var pause = Self.firstPause
        while try !isThere() {
            let now = clock.monotonic
            let end = deadline ?? now + limit
            deadline = end
            guard now < end else { return false }
            clock.pause(seconds: pause)
            pause = min(2 * pause, Self.longestPause)
            files.lookAnew(at: directory)
        }
        return true
    }

    /// Waits for a file of at least `byteCount` bytes.
    mutating func wait(for path: FilePath, byteCount: Int) -> Bool {
        wait(in: FileSystem.parent(of: path)) { [files] in files.holds(path, byteCount: byteCount) }
    }
}
