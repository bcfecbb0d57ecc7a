/// An error that is thrown on every rank alike, so that rank zero alone need report it.
package protocol SharedError: Error {}

/// Something failed on some ranks, and every rank knows: the same error is thrown on all of them.
package struct AgreedError: SharedError, CustomStringConvertible {
    /// What was being done, for example `reading the image folders`.
    package let action: String
    /// The ranks that failed and why, by rank.
    package let failures: [(rank: Int, message: String)]

    /// How many ranks took part.
    package let rankCount: Int

    package init(action: String, failures: [(rank: Int, message: String)], rankCount: Int) {
        self.action = action
        self.failures = failures
        self.rankCount = rankCount
    }

    /// Names each distinct cause once, with the ranks that have it unless all have.
    package var description: String {
        var causes: [(message: String, ranks: [Int])] = []
        for failure in failures {
            if let index = causes.firstIndex(where: { $0.message == failure.message }) {
                causes[index].ranks.append(failure.rank)
            } else {
                causes.append((failure.message, [failure.rank]))
            }
        }
        if causes.count == 1 && causes[0].ranks.count == rankCount { return "\(action): \(causes[0].message)" }
        let parts = causes.prefix(8).map { cause in
            let names = cause.ranks.prefix(8).map(String.init).joined(separator: ", ")
            let more = cause.ranks.count > 8 ? " and \(cause.ranks.count - 8) more" : ""
            return "\(cause.ranks.count == 1 ? "rank" : "ranks") \(names)\(more): \(cause.message)"
        }
        let rest = causes.count > 8 ? "; \(causes.count - 8) further causes" : ""
        return "\(action): " + parts.joined(separator: "; ") + rest
    }
}

extension Collective {
    /// Runs `body` on every rank and returns its value when it succeeded on all of them; otherwise throws the same
    /// `AgreedError` on all. Collective; `body` itself must not communicate, because it may fail on some ranks only.
    package func agree<Value>(on action: String, _ body: () throws -> Value) throws -> Value {
        let outcome = Result { try body() }
        var failure: String?
        if case .failure(let error) = outcome { failure = String(describing: error) }
        try agree(on: action, failure: failure)
        return try outcome.get()
    }

    /// Throws the same `AgreedError` on every rank if any rank passes a failure. Collective.
    package func agree(on action: String, failure: String?) throws {
        let (messages, failed) = try serving(action) {
            guard try maximum([failure == nil ? 0 : 1])[0] > 0 else { return ([String](), [[UInt8]]()) }
            return (try allGather(failure ?? ""), try allGather([UInt8(failure == nil ? 0 : 1)]))
        }
        guard !messages.isEmpty else { return }
        throw AgreedError(
            action: action,
            failures: messages.indices.filter { failed[$0] == [1] }.map { ($0, messages[$0]) },
            rankCount: size)
    }
}
