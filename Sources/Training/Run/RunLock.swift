import Files
import Glibc
import SystemPackage

/// Keeps a second job out of a run directory, for as long as this object lives.
///
/// The file `lock` is locked with fcntl(2), which a crash releases and which NFS, Lustre (mounted with `flock`) and local
/// file systems share between hosts. Where the file system has no locks, the owner writes into the file every few
/// seconds instead, and a job that sees the text change stays away.
package final class RunLock: @unchecked Sendable {
    // @unchecked: after `init` only the heartbeat thread writes to the file.
    private let path: FilePath
    private let descriptor: Int32
    private let owner: String

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
        descriptor = path.withPlatformString { open($0, O_RDWR | O_CREAT | O_CLOEXEC, 0o666) }
        guard descriptor >= 0 else { throw FileError(path: path, doing: "open the file") }
        owner = "host \(host), process \(getpid()), since \(TimeSource.utc(TimeSource.system.wall()))"
        var isReady = false
        defer { if !isReady { close(descriptor) } }
        func refusal() -> TrainingError {
            TrainingError(
                "another job trains in \(directory.shown) (\(text)): wait for its end or stop it, or choose another "
                    + "run.directory")
        }
        let deadline = ContinuousClock.now + .seconds(patience)
        var outcome = attempt(descriptor)
        while case .taken = outcome, ContinuousClock.now < deadline {
            usleep(100_000)
            outcome = attempt(descriptor)
        }
        switch outcome {
        case .locked: write(beat: 0)
        case .taken: throw refusal()
        case .unsupported:
            let before = text
            usleep(useconds_t(2.5 * secondsBetweenBeats * 1e6))
            if !before.isEmpty && text != before { throw refusal() }
            startBeating(secondsBetweenBeats)
        }
        isReady = true
    }

    /// Whether the directory still has the file that is locked: not removed, replaced or unmounted.
    package var isInPlace: Bool {
        var held = stat(), found = stat()
        return fstat(descriptor, &held) == 0 && path.withPlatformString({ stat($0, &found) }) == 0
            && held.st_ino == found.st_ino
            && held.st_dev == found.st_dev
    }

    deinit { close(descriptor) }

    package static func lockFile(_ descriptor: Int32) -> Attempt {
        // F_OFD_SETLK, which Swift's Glibc leaves out: the lock belongs to the open file, not to the process.
        let setOpenFileLock: Int32 = 37
        var region = flock()
        region.l_type = Int16(F_WRLCK)
        region.l_whence = Int16(SEEK_SET)
        if fcntl(descriptor, setOpenFileLock, &region) == 0 { return .locked }
        return errno == EAGAIN || errno == EACCES ? .taken : .unsupported
    }

    /// What the file says of its owner.
    private var text: String {
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self).split(separator: "\n").first.map(
            String.init)
            ?? ""
    }

    /// The text is for people and for `unsupported`: a full disk that refuses it harms nothing.
    private func write(beat: Int) {
        let bytes = Array((owner + (beat > 0 ? ", heartbeat \(beat)" : "") + "\n").utf8)
        if pwrite(descriptor, bytes, bytes.count, 0) == bytes.count { ftruncate(descriptor, off_t(bytes.count)) }
    }

    private func startBeating(_ seconds: Double) {
        write(beat: 1)
        // The thread holds the lock weakly: it ends soon after the lock does.
        let beating = Beating(self, seconds)
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Beating>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(beating).toOpaque())
        precondition(code == 0, "cannot start the thread that keeps the run's lock: error \(code)")
        pthread_detach(thread)
    }

    private final class Beating {
        private weak var lock: RunLock?
        private let seconds: Double

        init(_ lock: RunLock, _ seconds: Double) { (self.lock, self.seconds) = (lock, seconds) }

        func run() {
            var beat = 1
            while true {
                usleep(useconds_t(seconds * 1e6))
                guard let lock else { return }
                beat += 1
                lock.write(beat: beat)
            }
        }
    }
}
