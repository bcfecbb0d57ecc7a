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
    /// Behind the owner in `lock` where that is locked.
    private static let lockedMark = ", with the file system's lock"

    /// Throws where another job trains in the directory.
    package init(
        directory: FilePath, host: String, patience: Double = RunLock.patience,
        secondsBetweenBeats: Double = RunLock.secondsBetweenBeats, files: any FileOperations = SystemFiles(),
        clock: any TimeSource = SystemClock()
    ) throws {
        let lock = try files.openLock(Self.path(in: directory), makesIt: true)
        let owner = "host \(host), process \(getpid()), since \(TimeText.utc(clock.wall))"
        self.lock = lock
        func refusal(_ owner: String) -> TrainingError {
            TrainingError(
                "another job trains in \(directory.shown) (\(owner)): wait for its end or stop it, or choose another "
                    + "run.directory")
        }
        let deadline = clock.monotonic + patience
        // Where the file system had locks before, its lock daemon may be on its way back.
        func hasNoLocksAnyMore(_ outcome: LockOutcome) -> Bool {
            outcome == .unsupported && lock.line.hasSuffix(Self.lockedMark)
        }
        var outcome = lock.tryLock()
        while outcome == .taken || hasNoLocksAnyMore(outcome), clock.monotonic < deadline {
            clock.pause(seconds: Self.pause)
            outcome = lock.tryLock()
        }
        let ownerFile = directory.appending("owner")
        switch outcome {
        case .locked:
            file = nil
            self.owner = owner + Self.lockedMark
            do {
                try OwnerFile.removeDead(
                    ownerFile, secondsBetweenBeats: secondsBetweenBeats, files: files, clock: clock)
            } catch let taken as OwnerFile.Taken {
                throw refusal(taken.owner)
            }
        case .taken: throw refusal(lock.line)
        case .unsupported:
            // Where another host's mount has locks and this one's has none, neither would see the other.
            guard !hasNoLocksAnyMore(outcome) else {
                throw TrainingError(
                    "\(directory.shown) was locked by \(lock.line), and on this host its file system grants no locks, so that it "
                        + "cannot be seen whether that job still trains: mount it as there (its lock daemon may be down; Lustre "
                        + "needs the option flock), or remove \(Self.path(in: directory).shown) once that job has ended"
                )
            }
            self.owner = owner
            do {
                file = try OwnerFile(
                    path: ownerFile, owner: owner, secondsBetweenBeats: secondsBetweenBeats,
                    files: files, clock: clock)
            } catch let taken as OwnerFile.Taken {
                throw refusal(taken.owner)
            }
        }
        try lock.write(line: self.owner)
    }

    /// Whether the directory still has the file that is locked: not removed, replaced or unmounted.
    package var isInPlace: Bool { lock.isInPlace && file?.isInPlace ?? true }

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

    /// The owner that the file of a directory names; nil where it cannot be opened.
    static func name(in directory: FilePath) -> String? {
        // A directory that cannot be read shows no owner.
        (try? SystemFiles().openLock(path(in: directory), makesIt: false))?.line
    }
}
