import TensorCore
import Threads

/// Runs passes that need nothing of each other: views of one batch, say, or networks that see the same.
///
/// A pass waits at each normalisation for a sum over all ranks, and so for the slowest of them. Interleaved passes take
/// turns at these sums: while one waits, the next computes, and a rank that is late by less than that holds nobody up. They
/// compute one at a time and in the same order every time: results are those of passes that run one after another, but for
/// the order in which gradients of what several levels share are added. What passes record for their way back is all held
/// at once.
package final class PassRunner {
    /// What happens to interleaved passes, for those who measure; told by whoever computes.
    package enum Event: Sendable, Equatable {
        case begins(pass: Int)
        /// A pass sends so many bytes, and another computes.
        case waits(pass: Int, bytes: Int)
        /// Its sum is there, and its turn.
        case goesOn(pass: Int)
        case ends(pass: Int)
    }

    private let channels: [any InterleavedStatistics]
    package var observer: ((Event) -> Void)?

    /// - Parameter channels: one for each pass that may be interleaved; none where passes run one after another.
    package init(channels: [any InterleavedStatistics] = []) { self.channels = channels }

    package var isInterleaving: Bool { !channels.isEmpty }

    /// Returns when all have run. Each is given what it sums its statistics with: `alone` where it runs alone.
    package func run(
        _ passes: [(any StatisticsReducing) throws -> Void], alone: any StatisticsReducing
    ) throws {
        guard isInterleaving, passes.count > 1 else {
            for pass in passes { try pass(alone) }
            return
        }
        precondition(passes.count <= channels.count, "\(passes.count) passes, \(channels.count) channels")
        let outer = TimeAccount.shared.pause()
        defer {
            Trace.beginPass(0)
            TimeAccount.shared.goOn(outer)
        }
        var postponed: [[() -> Void]] = passes.map { _ in [] }
        let bodies = passes.enumerated().map { number, pass in
            { [self] (turn: Coroutines.Turn) in
                Trace.beginPass(number + 1)
                TimeAccount.shared.goOn([])
                observer?(.begins(pass: number))
                let statistics = Turns(self, turn, channels[number])
                try pass(statistics)
                postponed[number] = statistics.postponed
                observer?(.ends(pass: number))
            }
        }
        func advance() { for channel in channels { channel.advance() } }
        try Meanwhile.lookingAfter(advance, { try Coroutines.run(bodies) })
        for body in postponed.joined() { body() }
    }

    /// A pass's statistics: at each sum the turn goes on.
    private final class Turns: StatisticsReducing {
        private let owner: PassRunner
        private let turn: Coroutines.Turn
        private let channel: any InterleavedStatistics
        private(set) var postponed: [() -> Void] = []

        init(_ owner: PassRunner, _ turn: Coroutines.Turn, _ channel: any InterleavedStatistics) {
            (self.owner, self.turn, self.channel) = (owner, turn, channel)
        }

        func inOrder(_ body: @escaping () -> Void) { postponed.append(body) }

        func sum(_ values: UnsafeMutableBufferPointer<Double>) throws {
            owner.observer?(.waits(pass: turn.number, bytes: values.count * MemoryLayout<Double>.stride))
            try TimeAccount.shared.part(.statistics) { try channel.begin(values) }
            let parts = TimeAccount.shared.pause()
            turn.passOn()
            Trace.beginPass(turn.number + 1)
            TimeAccount.shared.goOn(parts)
            try Trace.span("statistics", counts: .statistics) { try channel.finish() }
            owner.observer?(.goesOn(pass: turn.number))
        }
    }
}
