/// What a rank tells rank zero every second, as one line of text.
package struct Heartbeat: Sendable, Equatable {
    /// Where a communicator's calls have come to.
    package struct Position: Sendable, Equatable {
        package var channel: Int
        package var communicator: String
        /// Of the latest call; 0 before the first.
        package var number: Int
        /// The call that has not returned, for example `MPI_Allreduce of 1024 elements`; empty outside of calls.
        package var call: String

        package init(channel: Int, communicator: String, number: Int, call: String) {
            (self.channel, self.communicator, self.number, self.call) = (channel, communicator, number, call)
        }
    }

    var rank: Int
    var host: String
    var phase: Phase
    /// For example `step 12`.
    var detail: String
    /// Since the phase began or last made progress.
    var seconds: Double
    /// Whether that is longer than allowed.
    var isExpired: Bool
    var positions: [Position]

    /// Without the end of the line.
    package var line: String {
        let fields =
            ["\(rank)", host, phase.rawValue, detail, "\(seconds)", isExpired ? "expired" : "well"]
            + positions.flatMap { ["\($0.channel)", $0.communicator, "\($0.number)", $0.call] }
        return fields.map { $0.replacing("\t", with: " ").replacing("\n", with: " ") }.joined(separator: "\t")
    }

    package init(
        rank: Int, host: String, phase: Phase, detail: String, seconds: Double, isExpired: Bool, positions: [Position]
    ) {
        (self.rank, self.host, self.phase, self.detail) = (rank, host, phase, detail)
        (self.seconds, self.isExpired, self.positions) = (seconds, isExpired, positions)
    }

    /// Nil where the line is none.
    package init?(line: String) {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard fields.count >= 6, (fields.count - 6).isMultiple(of: 4), let rank = Int(fields[0]),
            let phase = Phase(rawValue: fields[2]), let seconds = Double(fields[4]),
            (0...1e9).contains(seconds)
        else { return nil }
        var positions: [Position] = []
        for start in stride(from: 6, to: fields.count, by: 4) {
            guard let channel = Int(fields[start]), let number = Int(fields[start + 2]) else { return nil }
            positions.append(
                Position(channel: channel, communicator: fields[start + 1], number: number, call: fields[start + 3]))
        }
        self.init(
            rank: rank, host: fields[1], phase: phase, detail: fields[3], seconds: seconds,
            isExpired: fields[5] == "expired", positions: positions)
    }

    /// At most this many communicators are told of, the newest.
    private static let maximumPositions = 16

    static func positions(of log: CollectiveLog) -> [Position] {
        log.channels.filter { $0.channel.number > 0 }.suffix(maximumPositions).map { index, channel in
            let call = channel.open.map {
                "\($0.function) of \($0.count) elements" + ($0.purpose.isEmpty ? "" : ", \($0.purpose)")
            }
            return Position(
                channel: index, communicator: channel.name, number: channel.number, call: call ?? "")
        }
    }
}
