import Learning
package import Training

/// What a fault costs: the time from the last sign of life of a job to the first step of the one that goes on, and what it
/// goes on.
///
/// Moments are seconds since 1970. Those of the program are of rank zero's host: where its clock differs from the
/// launcher's, so do the parts beside them.
package struct Recovery: Sendable, Equatable {
    /// The end of a job that had trained.
    package struct Fault: Sendable, Equatable {
        /// When the last step was recorded.
        package var lastSign: Double
        package var lastStep: Int
        /// When the ranks were seen to end by themselves; nil where mpirun ended them.
        package var noticed: Double?
        /// When nothing of the job was left.
        package var ended: Double

        package init(lastSign: Double, lastStep: Int, noticed: Double?, ended: Double) {
            (self.lastSign, self.lastStep, self.noticed, self.ended) = (lastSign, lastStep, noticed, ended)
        }
    }

    private let fault: Fault
    /// When mpirun was started that brought the run back.
    private let started: Double
    private let start: RunEvent
    private let firstStep: RunEvent

    /// Reads the history of the run; nil until it has come to a step since.
    ///
    /// - Parameters:
    ///   - started: when the latest mpirun was started.
    ///   - known: how many events the history had then.
    package init?(after fault: Fault, started: Double, history: [RunEvent], known: Int) {
        let events = history.dropFirst(known)
        guard let start = events.first(where: { $0.kind == .start }),
            let first = events.first(where: { $0.kind == .beat && $0.step ?? 0 > start.step ?? 0 })
        else { return nil }
        (self.fault, self.started, self.start, self.firstStep) = (fault, started, start, first)
    }

    /// Seconds from the last sign of life to the first step.
    package var seconds: Double { firstStep.time - fault.lastSign }

    /// Steps that were trained and lost.
    package var stepsLost: Int { max(0, fault.lastStep - (start.step ?? 0)) }

    /// Seconds of each part, in their order; those that took none are left out.
    package var parts: [(name: String, seconds: Double)] {
        let began = start.began ?? start.time, preparing = start.spent ?? [:]
        let known = StartPart.allCases.compactMap { part in preparing[part.rawValue].map { (part.rawValue, $0) } }
        let rest = start.time - began - known.reduce(0) { $0 + $1.1 }
        let detection =
            fault.noticed.map { [("noticing", $0 - fault.lastSign), ("ending the job", fault.ended - $0)] }
            ?? [("noticing and ending the job", fault.ended - fault.lastSign)]
        let all =
            detection + [("looking at hosts", started - fault.ended), ("starting ranks", began - started)] + known
            + [("checks", rest), ("first step", firstStep.time - start.time)]
        return all.filter { $0.1 >= 0.005 }.map { (name: $0.0, seconds: $0.1) }
    }

    /// A line for people.
    package var text: String {
        "back in \(Self.rounded(seconds)) s, \(stepsLost) step\(stepsLost == 1 ? "" : "s") done again from step "
            + "\(start.step ?? 0): " + parts.map { "\($0.name) \(Self.rounded($0.seconds)) s" }.joined(separator: ", ")
    }

    private static func rounded(_ seconds: Double) -> Double { (seconds * 100).rounded() / 100 }
}
