import Glibc

/// Another rank's end of the side channel.
package final class HeartbeatClient: @unchecked Sendable {
    // @unchecked: only the watchdog's thread uses it once it is made.
    private let socket: LineSocket
    private(set) var lastHeard = ContinuousClock.now
    private var nextBeat = ContinuousClock.now
    private var closedAt: ContinuousClock.Instant?

    /// Rank zero may take us for one stranger too many among many: so often it is tried again.
    private static let attempts = 5

    /// Tries rank zero's addresses one after another; nil where none answers.
    package init?(invitation: String, rank: Int) {
        let words = invitation.split(separator: " ").map(String.init)
        guard let token = words.first else { return nil }
        for place in words.dropFirst() {
            let parts = place.split(separator: ":").map(String.init)
            guard parts.count == 2, let port = UInt16(parts[1]) else { continue }
            for _ in 0..<Self.attempts {
                // An address that does not answer will not answer soon.
                guard let socket = LineSocket.connect(to: parts[0], port: port, seconds: 3) else { break }
                socket.longestLine = LineSocket.longestHeartbeat
                if Self.isWelcome(socket, token, rank) {
                    self.socket = socket
                    return
                }
                if !socket.isClosed { break }
                usleep(100_000)
            }
        }
        return nil
    }

    private static func isWelcome(_ socket: LineSocket, _ token: String, _ rank: Int) -> Bool {
        socket.send("hello \(token) \(rank)")
        let deadline = ContinuousClock.now + .seconds(3)
        while !socket.isClosed && ContinuousClock.now < deadline {
            socket.wait(seconds: 0.2)
            if socket.receive().contains("welcome") { return true }
        }
        return false
    }

    /// Seconds between heartbeats.
    private static let pause = 0.5

    /// Sends a heartbeat now and then, and waits at most `seconds` for words of rank zero; returns the name of the
    /// report once rank zero ends the job.
    package func beat(_ heartbeat: Heartbeat, seconds: Double) -> String? {
        let now = ContinuousClock.now
        if socket.isClosed {
            usleep(useconds_t(seconds * 1e6))
        } else {
            socket.flush()
            if now >= nextBeat, !socket.isBusy {
                socket.send(heartbeat.line)
                nextBeat = now + .seconds(Self.pause)
            }
            socket.wait(seconds: seconds)
        }
        for line in socket.receive() {
            lastHeard = .now
            if line.hasPrefix("end ") { return String(line.dropFirst(4)) }
        }
        if socket.isClosed, closedAt == nil { closedAt = .now }
        return nil
    }

    func forgive(_ gap: Duration) {
        lastHeard += gap
        closedAt? += gap
    }

    /// Whether rank zero has not been heard for a while, though nobody hung up.
    func isRootSilent(now: ContinuousClock.Instant) -> Bool {
        closedAt == nil && (now - lastHeard).inSeconds > RankTable.noticeableSilence
    }

    func sayFarewell() { socket.send("farewell") }

    /// Why this rank must end without being told, or nil.
    func alarm(_ limits: WatchdogLimits, host: String, isExpired: Bool, now: ContinuousClock.Instant) -> Alarm? {
        let silence = (now - lastHeard).inSeconds
        if let closedAt {
            let isOver = (now - closedAt).inSeconds > RankTable.deathGrace
            return isOver ? Alarm("the process of rank 0 (\(host)) has ended", isFinal: true) : nil
        }
        let limit = isExpired ? RankTable.noticeableSilence : limits.silence > 0 ? limits.silence : .infinity
        guard silence > limit else { return nil }
        return Alarm(
            "nothing was heard from rank 0 (\(host)) for \(Int(silence)) s: its process is stopped, or a host or "
                + "the network is down", isFinal: true)
    }
}
