import Files
import Glibc
package import SystemPackage
import Threads

/// Keeps a second job out of a run directory, for as long as this object lives.
///
/// The file `lock` is locked with fcntl(2), which a crash releases and which NFS, Lustre (mounted with `flock`) and local
/// file systems share between hosts. Where the file system has no locks, a file `owner` stands for them.
package final class RunLock: Sendable {
    private let path: FilePath
    private let descriptor: Int32
    /// What the file says.
    let owner: String
    /// Where the file system has no locks.
    private let file: OwnerFile?

    /// Seconds that a job on its way out has to let go.
    package static let patience = 5.0
    package static let secondsBetweenBeats = 5.0

    package enum Attempt {
        case locked, taken, unsupported
    }

    /// Throws where another job trains in the directory. `attempt` tries to lock a descriptor, without waiting.
    package init(
        directory: FilePath, host: String, patience: Double = RunLock.patience,
        secondsBetweenBeats: Double = RunLock.secondsBetweenBeats,
        attempt: (Int32) -> Attempt = RunLock.lockFile
    ) throws {
        path = directory.appending("lock")
        let descriptor = path.withPlatformString { open($0, O_RDWR | O_CREAT | O_CLOEXEC, 0o666) }
        guard descriptor >= 0 else { throw FileError(path: path, doing: "open the file") }
        self.descriptor = descriptor
        owner = "host \(host), process \(getpid()), since \(TimeText.utc(SystemClock().wall))"
        var isReady = false
        defer { if !isReady { close(descriptor) } }
        func refusal(_ owner: String) -> TrainingError {
            TrainingError(
                "another job trains in \(directory.shown) (\(owner)): wait for its end or stop it, or choose another "
                    + "run.directory")
        }
        let deadline = ContinuousClock.now + .seconds(patience)
        var outcome = attempt(descriptor)
        while case .taken = outcome, ContinuousClock.now < deadline {
            usleep(100_000)
            outcome = attempt(descriptor)
        }
        switch outcome {
        case .locked: file = nil
        case .taken: throw refusal(Self.text(of: descriptor))
        case .unsupported:
            do {
                file = try OwnerFile(
                    path: directory.appending("owner"), owner: owner, secondsBetweenBeats: secondsBetweenBeats)
            } catch let taken as OwnerFile.Taken {
                throw refusal(taken.owner)
            }
        }
        write()
        isReady = true
    }

    /// Whether the directory still has the file that is locked: not removed, replaced or unmounted.
    package var isInPlace: Bool {
        var held = stat(), found = stat()
        return fstat(descriptor, &held) == 0 && path.withPlatformString({ stat($0, &found) }) == 0
            && held.st_ino == found.st_ino
            && held.st_dev == found.st_dev && file?.isInPlace ?? true
    }

    deinit {
        file?.remove()
        close(descriptor)
    }

    package static func lockFile(_ descriptor: Int32) -> Attempt {
        // F_OFD_SETLK, which Swift's Glibc leaves out: the lock belongs to the open file, not to the process.
        let setOpenFileLock: Int32 = 37
        var region = flock()
        region.l_type = Int16(F_WRLCK)
        region.l_whence = Int16(SEEK_SET)
        if fcntl(descriptor, setOpenFileLock, &region) == 0 { return .locked }
        return errno == EAGAIN || errno == EACCES ? .taken : .unsupported
    }

    /// Who holds the lock of a directory, as its file says; nil for nobody, and where the file system has no locks.
    package static func holder(of directory: FilePath) -> String? {
        // F_OFD_GETLK, which Swift's Glibc leaves out.
        let getOpenFileLock: Int32 = 36
        // A directory without the file has no owner.
        guard let file = try? FileDescriptor.open(directory.appending("lock"), .readWrite) else { return nil }
        defer { close(file.rawValue) }
        var region = flock()
        region.l_type = Int16(F_WRLCK)
        guard fcntl(file.rawValue, getOpenFileLock, &region) == 0, region.l_type != Int16(F_UNLCK) else { return nil }
        return text(of: file.rawValue)
    }

    /// The owner that the file of a directory names; nil where there is none.
    static func name(in directory: FilePath) -> String? {
        // A directory that cannot be read shows no owner.
        guard let text = try? WholeFile.text(of: directory.appending("lock"), limit: 4096) else { return nil }
        return text.split(separator: "\n").first.map(String.init)
    }

    /// What the file says of its owner.
    private static func text(of descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self).split(separator: "\n").first.map(
            String.init)
            ?? ""
    }

    /// The text is for people, and for other hosts to see the same file: a full disk that refuses it harms nothing.
    private func write() {
        let bytes = Array((owner + "\n").utf8)
        if pwrite(descriptor, bytes, bytes.count, 0) == bytes.count { ftruncate(descriptor, off_t(bytes.count)) }
    }
}
