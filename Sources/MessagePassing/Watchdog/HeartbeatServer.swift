#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Rank zero's end of the side channel: hears every rank's heartbeats over TCP, apart from MPI.
final class HeartbeatServer: @unchecked Sendable {
    // @unchecked: only the watchdog's thread uses it once it is made.
    private let listening: ListeningSocket
    /// Which other ranks must say, so that a stray connection is not taken for a rank.
    let token: String
    private var connections: [(socket: LineSocket, rank: Int?)] = []
    private(set) var table: RankTable

    /// Nil where this host grants no socket.
    init?(hosts: [String]) {
        guard let listening = ListeningSocket() else { return nil }
        self.listening = listening
        token = String(UInt64.random(in: .min ... .max), radix: 16)
        table = RankTable(hosts: hosts, now: .now)
        // A connection for every rank, beside the files that the program opens.
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = min(limit.rlim_max, max(limit.rlim_cur, rlim_t(hosts.count + 1024)))
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// What other ranks need to find this one: port, token and addresses.
    var invitation: String {
        (["\(listening.port)", token] + ListeningSocket.addressesOfThisHost()).joined(separator: " ")
    }

    /// Hears what has arrived, waiting at most `seconds`, and answers each heartbeat.
    func hear(_ own: Heartbeat, seconds: Double) {
        var entries = [pollfd(fd: listening.descriptor, events: Int16(POLLIN), revents: 0)]
        entries += connections.map { pollfd(fd: $0.socket.descriptor, events: Int16(POLLIN), revents: 0) }
        poll(&entries, nfds_t(entries.count), Int32(seconds * 1000))
        let now = ContinuousClock.now
        table.heard(own, now: now)
        while let connection = listening.accept() { connections.append((connection, nil)) }
        for index in connections.indices { hear(index, now) }
        connections.removeAll { $0.socket.isClosed }
    }

    private func hear(_ index: Int, _ now: ContinuousClock.Instant) {
        let socket = connections[index].socket
        for line in socket.receive() {
            let words = line.split(separator: " ")
            if words.count == 3, words[0] == "hello", words[1] == token, let rank = Int(words[2]) {
                connections[index].rank = rank
                table.connected(rank)
                socket.send("welcome")
            } else if let rank = connections[index].rank, line == "farewell" {
                table.finished(rank)
            } else if connections[index].rank != nil, let heartbeat = Heartbeat(line: line) {
                table.heard(heartbeat, now: now)
                if !socket.isBusy { socket.send("alive") }
            }
        }
        socket.flush()
        if socket.isClosed, let rank = connections[index].rank { table.closed(rank, now: now) }
    }

    func forgive(_ gap: Duration) { table.forgive(gap) }

    /// Tells every rank that can be reached to end.
    func sayEnd(_ report: String) {
        for connection in connections { connection.socket.send("end \(report)") }
    }
}

/// Another rank's end of the side channel.
final class HeartbeatClient: @unchecked Sendable {
    // @unchecked: only the watchdog's thread uses it once it is made.
    private let socket: LineSocket
    private(set) var lastHeard = ContinuousClock.now
    private var nextBeat = ContinuousClock.now
    private var closedAt: ContinuousClock.Instant?

    /// Tries rank zero's addresses one after another; nil where none answers.
    init?(invitation: String, rank: Int) {
        let words = invitation.split(separator: " ").map(String.init)
        guard words.count > 2, let port = UInt16(words[0]) else { return nil }
        for address in words[2...] {
            guard let socket = LineSocket.connect(to: address, port: port, seconds: 3) else { continue }
            socket.send("hello \(words[1]) \(rank)")
            let deadline = ContinuousClock.now + .seconds(3)
            while !socket.isClosed && ContinuousClock.now < deadline {
                socket.wait(seconds: 0.2)
                if socket.receive().contains("welcome") {
                    self.socket = socket
                    return
                }
            }
        }
        return nil
    }

    /// Sends a heartbeat once a second and waits at most `seconds` for words of rank zero; returns the name of the
    /// report once rank zero ends the job.
    func beat(_ heartbeat: Heartbeat, seconds: Double) -> String? {
        let now = ContinuousClock.now
        if socket.isClosed {
            usleep(useconds_t(seconds * 1e6))
        } else {
            socket.flush()
            if now >= nextBeat, !socket.isBusy {
                socket.send(heartbeat.line)
                nextBeat = now + .seconds(1)
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

    func sayFarewell() { socket.send("farewell") }

    /// Why this rank must end without being told, or nil.
    func reason(_ limits: WatchdogLimits, host: String, isExpired: Bool, now: ContinuousClock.Instant) -> String? {
        let silence = (now - lastHeard).inSeconds
        if let closedAt {
            return (now - closedAt).inSeconds > RankTable.deathGrace ? "the process of rank 0 (\(host)) has ended" : nil
        }
        let limit = isExpired ? RankTable.noticeableSilence : limits.silence > 0 ? limits.silence : .infinity
        guard silence > limit else { return nil }
        return
            "nothing was heard from rank 0 (\(host)) for \(Int(silence)) s: its process is stopped, or a host or the "
            + "network is down"
    }
}
