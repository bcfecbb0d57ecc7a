import Synchronization

/// A look at the hosts that begins while a job is still ending, so that nobody waits for the answers once it has ended.
package final class EarlyLook: Sendable {
    /// What was asked and answered.
    package struct Answers: Sendable {
        let hosts: [ListedHost]
        let preflight: Preflight

        package init(hosts: [ListedHost], preflight: Preflight) { (self.hosts, self.preflight) = (hosts, preflight) }
    }

    /// Tells whether anybody waits for the answers yet.
    package typealias Need = @Sendable () -> Bool

    private struct Begun {
        let time: Double
        let need: Flag
        let answers: Task<Answers, Never>
    }

    private final class Flag: Sendable {
        let isSet = Atomic(false)
    }

    private let begun = Mutex<Begun?>(nil)

    /// Seconds for which answers are good after their hosts were asked.
    static let freshness = 10.0

    package init() {}

    /// Begins one, unless there is one already that is still good.
    ///
    /// - Parameter now: seconds of a clock that only grows.
    package func begin(now: Double, _ ask: @escaping @Sendable (@escaping Need) async -> Answers) {
        begun.withLock { begun in
            if let begun, now - begun.time < Self.freshness { return }
            begun?.answers.cancel()
            let need = Flag()
            begun = Begun(
                time: now, need: need,
                answers: Task { await ask { need.isSet.load(ordering: .relaxed) } })
        }
    }

    /// Its answers, if all of `hosts` were asked, and lately; nil otherwise. They are given once.
    package func answers(of hosts: [ListedHost], now: Double) async -> Preflight? {
        guard let look = take() else { return nil }
        look.need.isSet.store(true, ordering: .relaxed)
        guard now - look.time < Self.freshness else {
            look.answers.cancel()
            return nil
        }
        let answers = await look.answers.value
        return answers.hosts == hosts ? answers.preflight : nil
    }

    private func take() -> Begun? {
        begun.withLock { begun in
            defer { begun = nil }
            return begun
        }
    }
}
