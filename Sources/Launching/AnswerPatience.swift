/// How long hosts may take to answer: pure decisions.
package struct AnswerPatience: Sendable {
    /// Whether a run waits that could go on with those who answer soon: the others come in at a later start.
    package var isUrgent: Bool
    /// Names of hosts that did not answer the last time.
    package var unanswered: Set<String>
    /// Names, as the job knows them, of hosts that fell silent while it ran.
    package var lost: Set<String>

    /// Seconds that a host may take where a run waits for the answers.
    package var urgent = 5.0

    /// Seconds that a host may take otherwise; and where a run waits, one that gave no answer before.
    static let usual = 20.0, short = 2.0
    /// Seconds that a lost host has beyond the others, and its share of the time that they took.
    static let grace = 0.3, graceShare = 0.5

    package init(isUrgent: Bool, unanswered: Set<String> = [], lost: Set<String> = []) {
        (self.isUrgent, self.unanswered, self.lost) = (isUrgent, unanswered, lost)
    }

    /// Seconds that a host has in any case.
    package func seconds(_ host: String) -> Double {
        isUrgent ? unanswered.contains(host) ? Self.short : urgent : Self.usual
    }

    /// Whether a host fell silent: names are compared without their domains, as lists and hosts may differ in them.
    package func isLost(_ host: String) -> Bool {
        isUrgent && lost.contains { $0 == host || Self.withoutDomain($0) == Self.withoutDomain(host) }
    }

    /// Whether hosts that fell silent are waited for no longer.
    ///
    /// - Parameters:
    ///   - elapsed: seconds since they were asked.
    ///   - others: seconds until all others had answered; nil while they have not, and where there are none.
    ///   - isNeeded: whether anybody waits for the answers yet.
    package func isOver(elapsed: Double, others: Double?, isNeeded: Bool) -> Bool {
        guard isNeeded, let others else { return false }
        return elapsed >= others + max(Self.grace, Self.graceShare * others)
    }

    /// An address has none.
    private static func withoutDomain(_ host: String) -> Substring {
        host.allSatisfy { $0.isNumber || $0 == "." || $0 == ":" } ? host[...] : host.prefix { $0 != "." }
    }
}
