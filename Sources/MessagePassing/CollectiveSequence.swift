/// Collectives that go one after another: the next begins when the one before is complete.
package final class CollectiveSequence: BegunCollective {
    package typealias Begin = () throws -> any BegunCollective

    private var waiting: [Begin]
    private var current: (any BegunCollective)?
    private var failure: (any Error)?
    private var appended: Int, completed = 0
    /// What a collective does may look after messages, and so come back here.
    private var isBusy = false

    package init(_ collectives: [Begin] = []) {
        waiting = collectives
        appended = collectives.count
    }

    /// The number of the collective, from one. Nothing is done once one has failed.
    package func append(_ begin: @escaping Begin) -> Int {
        appended += 1
        if failure == nil { waiting.append(begin) }
        advance()
        return appended
    }

    @discardableResult
    package func advance() -> Bool {
        guard !isBusy else { return false }
        isBusy = true
        defer { isBusy = false }
        while failure == nil, let next = ongoing() {
            guard next.advance() else { return false }
            close(next, meanwhile: nil)
        }
        return true
    }

    package func finish(meanwhile: (() -> Void)?) throws { try finish(upTo: appended, meanwhile: meanwhile) }

    /// Returns when the collectives up to `number` are complete; throws the first error of any.
    package func finish(upTo number: Int, meanwhile: (() -> Void)? = nil) throws {
        complete(upTo: number, meanwhile: meanwhile)
        if let failure { throw failure }
    }

    /// Returns when the collectives up to `number` are complete or one has failed, which the next `finish` tells.
    package func complete(upTo number: Int, meanwhile: (() -> Void)? = nil) {
        precondition(!isBusy, "a collective waits for the sequence that it is of")
        isBusy = true
        defer { isBusy = false }
        while completed < number, failure == nil, let next = ongoing() { close(next, meanwhile: meanwhile) }
    }

    /// The one that is on its way, or begins now; nil where there is none, or it could not begin.
    private func ongoing() -> (any BegunCollective)? {
        if current == nil, !waiting.isEmpty { keepingFailure { current = try waiting.removeFirst()() } }
        return current
    }

    private func close(_ collective: any BegunCollective, meanwhile: (() -> Void)?) {
        keepingFailure { try collective.finish(meanwhile: meanwhile) }
        current = nil
        completed += 1
    }

    private func keepingFailure(_ body: () throws -> Void) {
        do { try body() } catch {
            failure = error
            waiting = []
        }
    }
}
