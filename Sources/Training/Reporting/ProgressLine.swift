import Learning
import Synchronization
package import Threads

/// Where a run is and how fast it goes.
package struct RunProgress: Sendable, Equatable {
    /// The epoch being trained, from 1.
    package var epoch: Int
    package var epochs: Int
    /// Updates done.
    package var step: Int
    package var steps: Int
    package var loss: Double
    package var learningRate: Double
    package var imagesPerSecond: Double
    /// Shares of the step's time, 0 to 1.
    package var dataShare: Double
    package var computeShare: Double
    package var communicationShare: Double
    package var secondsLeft: Double

    package init(
        epoch: Int, epochs: Int, step: Int, steps: Int, loss: Double, learningRate: Double, imagesPerSecond: Double,
        dataShare: Double, computeShare: Double, communicationShare: Double, secondsLeft: Double
    ) {
        (self.epoch, self.epochs, self.step, self.steps) = (epoch, epochs, step, steps)
        (self.loss, self.learningRate, self.imagesPerSecond) = (loss, learningRate, imagesPerSecond)
        (self.dataShare, self.computeShare, self.communicationShare) = (dataShare, computeShare, communicationShare)
        self.secondsLeft = secondsLeft
    }

    /// All fields in one line, or as many as `columns` hold: the least needed leave first.
    package func line(columns: Int = .max) -> String {
        let percent = steps > 0 ? fixed(100 * Double(step) / Double(steps), digits: 1) + "%" : ""
        func share(_ value: Double) -> String { fixed(100 * value, digits: 0) + "%" }
        // In reading order; the rank says when a field leaves, the highest first.
        var fields: [(text: String, rank: Int)] = [
            ("epoch \(epoch)/\(epochs)", 1), ("step \(step)/\(steps)", 3), (percent, 7),
            ("loss \(fixed(loss, digits: 4))", 0), ("lr \(significant(learningRate))", 6),
            ("\(significant(imagesPerSecond)) images/s", 4), ("data \(share(dataShare))", 8),
            ("compute \(share(computeShare))", 9), ("communication \(share(communicationShare))", 10),
            ("\(TimeText.duration(secondsLeft)) left", 2),
        ]
        func joined() -> String { fields.map(\.text).filter { !$0.isEmpty }.joined(separator: "  ") }
        while joined().count > columns, fields.count > 1 {
            let last = fields.indices.max { fields[$0].rank < fields[$1].rank }!
            fields.remove(at: last)
        }
        return String(joined().prefix(columns))
    }
}

/// Shows progress: one living line on a terminal; elsewhere, and in the log file, a plain line at the first step, every
/// so many seconds, and at the end of an epoch.
package final class ProgressLine: Sendable {
    private struct State {
        var lastDrawn = -Double.infinity
        var lastPlain = -Double.infinity
    }

    private let log: RunLog
    private let everySeconds: Double
    private let clock: any TimeSource
    private let state = Mutex(State())

    /// - Parameter everySeconds: least time between plain lines.
    package init(log: RunLog, everySeconds: Double, clock: any TimeSource = SystemClock()) {
        (self.log, self.everySeconds, self.clock) = (log, everySeconds, clock)
    }

    /// Call after every step; cheap when there is nothing to draw yet.
    ///
    /// - Parameter isEpochEnd: writes a plain line whatever the time.
    package func update(_ progress: RunProgress, isEpochEnd: Bool = false) {
        let now = clock.monotonic
        let (draws, writes) = state.withLock { state in
            // Ten drawings a second are smooth; more only cost.
            let draws = isEpochEnd || now - state.lastDrawn >= 0.1
            let writes = isEpochEnd || now - state.lastPlain >= everySeconds
            if draws { state.lastDrawn = now }
            if writes { state.lastPlain = now }
            return (draws, writes)
        }
        if log.console.isTerminal {
            if draws { log.console.redraw(progress.line(columns: log.console.usableColumns)) }
            if writes { log.writeToFile(.info, progress.line()) }
        } else if writes {
            log.info(progress.line())
        }
    }

    /// Takes the living line away.
    package func finish() { log.console.clear() }
}
