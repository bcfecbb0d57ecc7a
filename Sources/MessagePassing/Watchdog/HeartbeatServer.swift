import Glibc

/// Rank zero's end of the side channel: hears every rank's heartbeats over TCP, apart from MPI.
///
/// Whoever connects is a stranger until it has said the job's token. Strangers are few and for seconds only, so that a
/// port scanner or a flood of silent connections takes neither descriptors nor the ranks' places.
package final class HeartbeatServer: @unchecked Sendable {
    // @unchecked: only the watchdog's thread uses it once it is made.
    private struct Connection {
        let socket: LineSocket
        let since: ContinuousClock.Instant
        /// Nil for a stranger.
        var rank: Int?
    }

    private let listening: [(socket: ListeningSocket, addresses: [String])]
    /// Which other ranks must say, so that a stray connection is not taken for a rank.
    private let token: String
    private var connections: [Connection] = []
    private(set) package var table: RankTable

    /// So many strangers are heard at once, the latest.
    package static let strangerLimit = 32
    /// Each has so long to say who it is.
    private let secondsForStrangers: Double
    /// At most so many connections are taken before the ranks are heard again.
    private static let arrivalsAtOnce = 256

    /// Nil where this host grants no socket.
    package init?(hosts: [String], secondsForStrangers: Double = 3) {
        self.secondsForStrangers = secondsForStrangers
        let here = HostAddresses.ofThisHost(ranksAreHere: hosts.allSatisfy { $0 == hosts[0] })
        if here.isExclusive {
            listening = here.addresses.compactMap { address in
                ListeningSocket(address: address).map { ($0, [address]) }
            }
        } else {
            listening = ListeningSocket(address: nil).map { [($0, here.addresses)] } ?? []
        }
        guard !listening.isEmpty else { return nil }
        token = String(UInt64.random(in: .min ... .max), radix: 16)
        table = RankTable(hosts: hosts, now: .now)
        // A connection for every rank, beside the files that the program opens.
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = min(limit.rlim_max, max(limit.rlim_cur, rlim_t(hosts.count + 1024)))
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// What other ranks need to find this one: token, addresses and their ports.
    package var invitation: String {
        ([token] + listening.flatMap { socket, addresses in addresses.map { "\($0):\(socket.port)" } })
            .joined(separator: " ")
    }

    package var strangerCount: Int { connections.count { $0.rank == nil } }

    /// Hears what has arrived, waiting at most `seconds`, and answers each heartbeat.
    package func hear(_ own: Heartbeat, seconds: Double) {
        var entries = listening.map { pollfd(fd: $0.socket.descriptor, events: Int16(POLLIN), revents: 0) }
        entries += connections.map { pollfd(fd: $0.socket.descriptor, events: Int16(POLLIN), revents: 0) }
        poll(&entries, nfds_t(entries.count), Int32(seconds * 1000))
        let now = ContinuousClock.now
        table.heard(own, now: now)
        for index in connections.indices { hear(&connections[index], now) }
        for (socket, _) in listening { welcome(at: socket, now, seconds) }
        for connection in connections where connection.rank == nil {
            if (now - connection.since).inSeconds > secondsForStrangers { connection.socket.shut() }
        }
        connections.removeAll { $0.socket.isClosed }
    }

    /// Takes those who wait. Ranks speak first, so that most are known at once.
    private func welcome(at socket: ListeningSocket, _ now: ContinuousClock.Instant, _ seconds: Double) {
        for _ in 0..<Self.arrivalsAtOnce {
            switch socket.accept() {
            case .none: return
            case .refused:
                // Those who wait stay where they are: looking at them again at once would only burn time.
                usleep(useconds_t(seconds * 1e6))
                return
            case .connection(let socket):
                var connection = Connection(socket: socket, since: now)
                hear(&connection, now)
                connections.append(connection)
                if strangerCount > Self.strangerLimit {
                    connections.remove(at: connections.firstIndex { $0.rank == nil }!)
                }
            }
        }
    }

    private func hear(_ connection: inout Connection, _ now: ContinuousClock.Instant) {
        let socket = connection.socket
        for line in socket.receive() {
            guard let rank = connection.rank else {
                connection.rank = self.rank(saidIn: line)
                guard let rank = connection.rank else { return socket.shut() }
                socket.longestLine = LineSocket.longestHeartbeat
                table.connected(rank)
                socket.send("welcome")
                continue
            }
            if line == "farewell" {
                table.finished(rank)
            } else if let heartbeat = Heartbeat(line: line) {
                table.heard(heartbeat, now: now)
                if !socket.isBusy { socket.send("alive") }
            }
        }
        socket.flush()
        if socket.isClosed, let rank = connection.rank { table.closed(rank, now: now) }
    }

    /// Who says hello with the job's token; nil for strangers.
    private func rank(saidIn line: String) -> Int? {
        let words = line.split(separator: " ")
        guard words.count == 3, words[0] == "hello", words[1] == token, let rank = Int(words[2]),
            table.rows.indices.contains(rank)
        else { return nil }
        return rank
    }

    func forgive(_ gap: Duration) { table.forgive(gap) }

    /// Tells every rank that can be reached to end.
    func sayEnd(_ report: String) {
        for connection in connections where connection.rank != nil { connection.socket.send("end \(report)") }
    }
}
