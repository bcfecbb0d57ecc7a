import Testing
import Threads

@Suite struct CoroutineTests {
    private struct Failure: Error, Equatable { let number: Int }

    @Test func turnsGoRoundInTheOrderOfTheBodies() throws {
        var seen: [String] = []
        try Coroutines.run(
            [3, 1, 2].enumerated().map { place, count in
                { turn in
                    #expect(turn.number == place)
                    for step in 1...count {
                        seen.append("\(place).\(step)")
                        turn.passOn()
                    }
                    seen.append("\(place) ends")
                }
            })
        #expect(
            seen == ["0.1", "1.1", "2.1", "0.2", "1 ends", "2.2", "0.3", "2 ends", "0 ends"], "\(seen)")
        try Coroutines.run([])
    }

    /// What is on a body's stack is there when its turn comes again, however deep it is.
    @Test func eachHasAStackOfItsOwn() throws {
        func depth(_ left: Int, _ turn: Coroutines.Turn) -> Int {
            let numbers = (0..<8).map { $0 + left }
            if left % 100 == 0 { turn.passOn() }
            let below = left == 0 ? 0 : depth(left - 1, turn)
            return below + (numbers == (0..<8).map { $0 + left } ? 1 : 0)
        }
        var depths: [Int: Int] = [:]
        try Coroutines.run((0..<3).map { place in { depths[place] = depth(5000 + place, $0) } })
        #expect(depths == [0: 5001, 1: 5002, 2: 5003])
    }

    @Test func theFirstErrorEndsAllAndIsThrown() {
        var others = 0
        let error = #expect(throws: Failure.self) {
            try Coroutines.run([
                { turn in
                    turn.passOn()
                    throw Failure(number: 1)
                },
                { turn in
                    while true {
                        others += 1
                        turn.passOn()
                    }
                },
            ])
        }
        #expect(error?.number == 1 && others == 1)
    }

    @Test func bodiesMayRunBodies() throws {
        var seen: [Int] = []
        try Coroutines.run(
            (0..<2).map { outer in
                { turn in
                    turn.passOn()
                    try Coroutines.run(
                        (0..<2).map { inner in
                            { innerTurn in
                                innerTurn.passOn()
                                seen.append(10 * outer + inner)
                            }
                        })
                    turn.passOn()
                }
            })
        #expect(seen == [0, 1, 10, 11])
    }
}
