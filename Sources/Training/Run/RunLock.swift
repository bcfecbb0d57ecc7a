package import Files
import Glibc
package import SystemPackage
package import Threads

/// Keeps a second job out of a run directory, for as long as this object lives.
///
/// The file `lock` is locked, which a crash undoes and which NFS, Lustre (mounted with `flock`) and local file systems
/// share between hosts. Where the file system has no locks, a file `owner` stands for them.
package final class RunLock: Sendable {
    private let lock: any LockFile
    /// What the file says.
    let owner: String
    /// Where the file system has no locks.
    private let file: OwnerFile?

    /// Seconds that a job on its way out has to let go.
    package static let patience = 5.0
    package static let secondsBetweenBeats = 5.0
    private static let pause = 0.1

    /// Throws where another job trains in the directory.
    package init(
        directory: FilePath, host: String, patience: Double = RunLock.patience,
        secondsBetweenBeats: Double = RunLock.secondsBetweenBeats, files: any FileOperations = SystemFiles(),
        clock: any TimeSource = SystemClock()
    ) throws {
        let lock = try files.openLock(Self.path(in: directory), makesIt: true)
        let sight = LockSight(directory: directory, path: Self.path(in: directory), lock: lock, files: files)
        let owner = "host \(host), process \(getpid()), since \(TimeText.utc(clock.wall))"
        let ownerFile = directory.appending("owner"), deadline = clock.monotonic + patience
        var outcome = lock.tryLock()
        // Where others have locks and this host has none, the lock daemon may be on its way back.
        while outcome == .taken || outcome == .unsupported && sight.isLocked, clock.monotonic < deadline {
            clock.pause(seconds: Self.pause)
            outcome = lock.tryLock()
        }
        self.lock = lock
        do {
            switch outcome {
            case .taken: throw OwnerFile.Taken(owner: lock.line)
            case .locked:
                func removeDead() throws {
                    try OwnerFile.removeDead(
                        ownerFile, secondsBetweenBeats: secondsBetweenBeats, files: files, clock: clock)
                }
                try removeDead()
                // Those who have no locks look for this line once their file is there, and this host for their file once the line
                // is: one of two that begin at once sees the other.
                let before = lock.line
                try lock.write(line: owner + LockSight.mark)
                do { try removeDead() } catch {
                    try lock.write(line: before)
                    throw error
                }
                (self.owner, file) = (owner + LockSight.mark, nil)
            case .unsupported:
                guard !sight.isLocked else { throw sight.withoutLocks }
                self.owner = owner
                // Let go where one of the next two fails.
                file = try OwnerFile(
                    path: ownerFile, owner: owner, secondsBetweenBeats: secondsBetweenBeats, files: files, clock: clock)
                guard !sight.isLocked else { throw sight.withoutLocks }
                try lock.write(line: owner)
            }
        } catch let taken as OwnerFile.Taken {
            throw sight.taken(by: taken.owner)
        }
    }

    /// Whether the directory still has the file that is locked: not removed, replaced or unmounted. Throws where that cannot be
    /// seen.
    package var isInPlace: Bool { get throws { try lock.isInPlace && file?.isInPlace ?? true } }

    deinit {
        file?.remove()
        // What a full disk keeps says no more than after a crash.
        if file == nil { try? lock.write(line: "") }
    }

    private static func path(in directory: FilePath) -> FilePath { directory.appending("lock") }

    /// Who holds the lock of a directory, as its file says; nil for nobody, and where the file system has no locks.
    package static func holder(of directory: FilePath, files: any FileOperations = SystemFiles()) -> String? {
        // A directory without the file has no owner.
        guard let lock = try? files.openLock(path(in: directory), makesIt: false) else { return nil }
        return lock.isHeldByAnother ? lock.line : nil
    }

    /// The owner that the file of a directory names; nil where there is no file.
    static func name(in directory: FilePath) throws -> String? {
        do {
            return try SystemFiles().openLock(path(in: directory), makesIt: false).line
        } catch let error as FileError where error.code == ENOENT {
            return nil
        }
    }
}

/// What one host sees of a directory's lock.
private struct LockSight {
    let directory: FilePath
    let path: FilePath
    let lock: any LockFile
    let files: any FileOperations

    /// Behind the owner in `lock` where that is locked.
    static let mark = ", with the file system's lock"

    /// Whether somebody's file system has locks. Opened anew, as a network file system need not show what others write to a
    /// file that is open.
    var isLocked: Bool { ((try? files.openLock(path, makesIt: false)) ?? lock).line.hasSuffix(Self.mark) }

    func taken(by owner: String) -> TrainingError {
        TrainingError(
            "another job trains in \(directory.shown) (\(owner)): wait for its end or stop it, or choose another run.directory"
        )
    }

    /// Where another host's mount has locks and this one's has none, neither would see the other.
    var withoutLocks: TrainingError {
        TrainingError(
            "\(directory.shown) was locked by \(lock.line), and on this host its file system grants no locks, so that it "
                + "cannot be seen whether that job still trains: mount it as there (its lock daemon may be down; Lustre "
                + "needs the option flock), or remove \(path.shown) once that job has ended")
    }
}
