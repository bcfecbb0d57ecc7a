import MessagePassing
import Testing

@Suite struct CollectiveSequenceTests {
    private struct Failure: Error, Equatable { let number: Int }

    /// What happened to collectives, in order.
    private final class Events { var list: [String] = [] }

    /// Complete after so many looks.
    private final class Counted: BegunCollective {
        private let name: String, events: Events
        private var looks: Int
        private let failure: Failure?

        init(_ name: String, looks: Int, events: Events, failure: Failure? = nil) {
            (self.name, self.looks, self.events, self.failure) = (name, looks, events, failure)
            events.list.append("\(name) begins")
        }

        func advance() -> Bool {
            if looks > 0 { looks -= 1 }
            return looks == 0
        }

        func finish(meanwhile: (() -> Void)?) throws {
            events.list.append("\(name) ends")
            if let failure { throw failure }
        }
    }

    @Test func theNextBeginsWhenTheOneBeforeIsComplete() throws {
        let events = Events(), sequence = CollectiveSequence()
        #expect(sequence.append { Counted("a", looks: 3, events: events) } == 1)
        #expect(sequence.append { Counted("b", looks: 1, events: events) } == 2)
        #expect(events.list == ["a begins"])
        #expect(sequence.advance() && events.list == ["a begins", "a ends", "b begins", "b ends"])
        #expect(sequence.append { Counted("c", looks: 9, events: events) } == 3)
        #expect(sequence.append { Counted("d", looks: 9, events: events) } == 4)
        try sequence.finish(upTo: 2)
        #expect(events.list.last == "c begins")
        try sequence.finish(upTo: 3)
        #expect(events.list.last == "c ends")
        try sequence.finish()
        #expect(events.list.suffix(2) == ["d begins", "d ends"])
    }

    /// One that fails, and one that cannot begin: nothing follows, and whoever waits is told.
    @Test(arguments: [false, true]) func nothingFollowsAFailure(beginning: Bool) {
        let events = Events(), failure = Failure(number: 2)
        let sequence = CollectiveSequence([
            { Counted("a", looks: 1, events: events) },
            {
                if beginning { throw failure }
                return Counted("b", looks: 1, events: events, failure: failure)
            },
            { Counted("c", looks: 1, events: events) },
        ])
        #expect(sequence.advance(), "what has failed is not on its way")
        #expect(throws: failure) { try sequence.finish() }
        #expect(throws: failure) { try sequence.finish(upTo: 2) }
        #expect(!events.list.contains("c begins"))
        #expect(sequence.append { Counted("d", looks: 1, events: events) } == 4)
        #expect(!events.list.contains("d begins"))
    }
}
