/// Why a job must end.
package struct Alarm: Sendable {
    package let reason: String
    /// Whether nothing that is heard within the next moments could say more, or call it off.
    let isFinal: Bool

    init(_ reason: String, isFinal: Bool) { (self.reason, self.isFinal) = (reason, isFinal) }
}

/// What rank zero's watchdog knows of all ranks, and what follows from it. No clock and no network of its own.
package struct RankTable {
    struct Row {
        var host: String
        var lastHeard: ContinuousClock.Instant
        var heartbeat: Heartbeat?
        /// When the rank's connection closed without a farewell.
        var closed: ContinuousClock.Instant?
        var hasFinished = false
        /// A rank that never reached rank zero's address cannot be missed.
        var isConnected = false
    }

    private(set) var rows: [Row]
    /// Ranks of which a heartbeat was heard, ascending.
    package var heardRanks: [Int] { rows.indices.filter { rows[$0].heartbeat != nil } }
    /// The longest that any rank was silent and heard again, in seconds.
    package private(set) var longestSilence = 0.0

    /// A rank that misses this many seconds of heartbeats is called silent once the job is ended anyway.
    static let noticeableSilence = 2.0
    /// How long after a rank's death the launcher may take to end the job.
    static let deathGrace = 2.0

    package init(hosts: [String], now: ContinuousClock.Instant) {
        rows = hosts.map { Row(host: $0, lastHeard: now) }
    }

    mutating func connected(_ rank: Int) { if rows.indices.contains(rank) { rows[rank].isConnected = true } }

    package mutating func heard(_ heartbeat: Heartbeat, now: ContinuousClock.Instant) {
        guard rows.indices.contains(heartbeat.rank) else { return }
        if rows[heartbeat.rank].heartbeat != nil {
            longestSilence = max(longestSilence, (now - rows[heartbeat.rank].lastHeard).inSeconds)
        }
        rows[heartbeat.rank].heartbeat = heartbeat
        rows[heartbeat.rank].lastHeard = now
        rows[heartbeat.rank].isConnected = true
    }

    mutating func finished(_ rank: Int) { if rows.indices.contains(rank) { rows[rank].hasFinished = true } }

    mutating func closed(_ rank: Int, now: ContinuousClock.Instant) {
        if rows.indices.contains(rank), rows[rank].closed == nil { rows[rank].closed = now }
    }

    /// This process was stopped for a while, in which it could hear nobody.
    package mutating func forgive(_ gap: Duration) {
        for rank in rows.indices {
            rows[rank].lastHeard += gap
            rows[rank].closed? += gap
        }
    }

    /// Why the job must end, or nil while all is well.
    package func alarm(_ limits: WatchdogLimits, now: ContinuousClock.Instant) -> Alarm? {
        for (rank, row) in rows.enumerated() where row.isConnected && !row.hasFinished {
            if let closed = row.closed, (now - closed).inSeconds > Self.deathGrace {
                return Alarm("the process of \(name(rank)) has ended", isFinal: true)
            }
            let silence = (now - row.lastHeard).inSeconds
            if row.closed == nil, limits.silence > 0, silence > limits.silence {
                return Alarm(
                    "nothing was heard from \(name(rank)) for \(Int(silence)) s (watchdog.silenceSeconds "
                        + "\(limits.silence.shortText))", isFinal: true)
            }
            if let heartbeat = row.heartbeat, heartbeat.isExpired, !waitsForWorkingRank(heartbeat) {
                return Alarm(
                    "no progress for \(Int(heartbeat.seconds)) s in phase \(heartbeat.phase.rawValue)"
                        + (heartbeat.detail.isEmpty ? "" : " (\(heartbeat.detail))") + " on \(name(rank))"
                        + (limits.seconds(heartbeat.phase).map { ", more than the \($0.shortText) s allowed" } ?? ""),
                    isFinal: false)
            }
        }
        return nil
    }

    /// Hosts of which no rank has been heard for a while: should they stay silent, the job will end for them.
    package func silentHosts(now: ContinuousClock.Instant) -> [String] {
        func isSilent(_ row: Row) -> Bool { (now - row.lastHeard).inSeconds > Self.noticeableSilence }
        let missed = rows.filter { $0.isConnected && !$0.hasFinished && $0.closed == nil && isSilent($0) }
        guard !missed.isEmpty else { return [] }
        let heard = Set(rows.filter { !$0.hasFinished && !isSilent($0) }.map(\.host))
        return Set(missed.map(\.host)).subtracting(heard).sorted()
    }

    /// Whether the rank is in a collective that a rank has not come to yet whose own limit is not exceeded: rank zero
    /// alone trains probes, for example, while the others wait for it.
    private func waitsForWorkingRank(_ heartbeat: Heartbeat) -> Bool {
        heartbeat.positions.contains { waiting in
            !waiting.call.isEmpty
                && rows.contains { row in
                    guard let other = row.heartbeat, !other.isExpired, row.closed == nil, !row.hasFinished else {
                        return false
                    }
                    let number = other.positions.first { $0.channel == waiting.channel }?.number ?? 0
                    return number < waiting.number
                }
        }
    }

    /// Who is missing, from what, and who waits: several lines.
    package func report(now: ContinuousClock.Instant) -> String {
        var lines: [String] = []
        var isSilent = [Bool](repeating: false, count: rows.count)
        for (rank, row) in rows.enumerated() where row.isConnected && !row.hasFinished {
            let silence = (now - row.lastHeard).inSeconds
            isSilent[rank] = row.closed != nil || silence > Self.noticeableSilence
            guard isSilent[rank] else { continue }
            lines.append(
                row.closed != nil
                    ? "missing: \(name(rank)): its process has ended"
                    : "missing: \(name(rank)): nothing heard for \(Int(silence)) s; its process is stopped, or its host "
                        + "or network is down")
        }
        for waiting in waitingCalls(except: isSilent) {
            lines.append(
                "waiting: \(names(waiting.ranks)) in \(waiting.communicator) #\(waiting.number), \(waiting.call)")
            for rank in waiting.absent { lines.append("missing from it: \(whereabouts(rank))") }
        }
        if !lines.contains(where: { $0.hasPrefix("missing") }) {
            lines.append(
                lines.isEmpty
                    ? "no rank waits in a collective: each is busy or stuck by itself"
                    : "no rank is missing: the network between the hosts, or MPI, does not move the data")
        }
        return lines.prefix(40).joined(separator: "\n")
    }

    func name(_ rank: Int) -> String { "rank \(rank) (\(rows[rank].host))" }

    private struct WaitingCall {
        let communicator: String
        let number: Int
        let call: String
        let ranks: [Int]
        let absent: [Int]
    }

    /// On each communicator the call that ranks have not returned from, and who has not entered it.
    private func waitingCalls(except isSilent: [Bool]) -> [WaitingCall] {
        var byChannel: [Int: [(rank: Int, position: Heartbeat.Position)]] = [:]
        for (rank, row) in rows.enumerated() {
            for position in row.heartbeat?.positions ?? [] {
                byChannel[position.channel, default: []].append((rank, position))
            }
        }
        let present = rows.indices.filter { rows[$0].heartbeat != nil && !rows[$0].hasFinished && !isSilent[$0] }
        return byChannel.sorted { $0.key < $1.key }.compactMap { _, entries in
            let open = entries.filter { !$0.position.call.isEmpty && !isSilent[$0.rank] }
            guard let latest = open.map(\.position.number).max() else { return nil }
            let waiting = open.filter { $0.position.number == latest }
            let numbers = Dictionary(uniqueKeysWithValues: entries.map { ($0.rank, $0.position.number) })
            return WaitingCall(
                communicator: waiting[0].position.communicator, number: latest, call: waiting[0].position.call,
                ranks: waiting.map(\.rank), absent: present.filter { (numbers[$0] ?? 0) < latest })
        }
    }

    private func whereabouts(_ rank: Int) -> String {
        guard let heartbeat = rows[rank].heartbeat else { return name(rank) }
        let open = heartbeat.positions.filter { !$0.call.isEmpty }
        let place =
            open.isEmpty
            ? "in no collective"
            : "in " + open.map { "\($0.communicator) #\($0.number), \($0.call)" }.joined(separator: " and ")
        return "\(name(rank)): \(place), for \(Int(heartbeat.seconds)) s in phase \(heartbeat.phase.rawValue)"
            + (heartbeat.detail.isEmpty ? "" : " (\(heartbeat.detail))")
    }

    private func names(_ ranks: [Int]) -> String {
        let listed = ranks.prefix(16).map { "\($0) (\(rows[$0].host))" }.joined(separator: ", ")
        return (ranks.count == 1 ? "rank " : "ranks ") + listed
            + (ranks.count > 16 ? " and \(ranks.count - 16) more" : "")
    }
}

extension Double {
    /// Without ".0".
    package var shortText: String { self == rounded() ? String(Int(self)) : String(self) }
}
