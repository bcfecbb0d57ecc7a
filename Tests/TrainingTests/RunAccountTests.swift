import Learning
import TensorCore
import TestSupport
import Testing
import Threads
import Training

@Suite struct RunAccountTests {
    /// The account of ranks that say they spent so much on parts, in so many seconds.
    private func account(
        _ ranks: [[StepPart: Double]], total: Double = 100, loadsBetweenSteps: Bool = false
    ) throws -> RunAccount {
        try SimulatedRanks(ranks.count).run { world in
            try RunAccount(
                (ranks[world.rank], total), hosts: ranks.indices.map { "node\($0)" },
                loadsBetweenSteps: loadsBetweenSteps, over: world)
        }[0]
    }

    @Test func partsAndRestAddUp() throws {
        let account = try account([[.forward: 30, .backward: 60, .data: 2], [.forward: 28, .backward: 66, .data: 1]])
        for rank in 0..<2 {
            #expect(abs(account.parts.reduce(0) { $0 + $1.seconds[rank] } - account.total[rank]) < 1e-9)
        }
        #expect(account.text.contains("waiting for pictures") && account.text.contains("rest"))
        #expect(!account.text.contains("checkpoints"))
        #expect(account.notes.isEmpty, "\(account.notes)")
    }

    @Test func whatStandsOutIsSaidWithItsNumber() throws {
        let slow = try account([
            [.forward: 30, .backward: 50, .statistics: 15], [.forward: 30, .backward: 50, .gradients: 15],
            [.forward: 35, .backward: 60],
        ])
        #expect(slow.notes.count == 1 && slow.notes[0].contains("rank 2 (node2)") && slow.notes[0].contains("10.0 %"))
        let starved = try account([[.forward: 50, .data: 40]])
        #expect(starved.notes == ["the loader held steps up for 40.0 % of the time: raise data.workers"])
        let loading = try account([[.forward: 58, .data: 40]], loadsBetweenSteps: true)
        #expect(loading.notes.count == 1 && loading.notes[0].contains("between steps for 40.0 %"))
        let saving = try account([[.forward: 90, .checkpoints: 8]])
        #expect(saving.notes.count == 1 && saving.notes[0].contains("checkpoint.everySteps"))
        let scoring = try account([[.forward: 60, .evaluation: 35]])
        #expect(scoring.notes.count == 1 && scoring.notes[0].contains("evaluation.everyEpochs"))
        let talking = try account([[.forward: 60, .gradients: 35], [.forward: 61, .gradients: 34]])
        #expect(talking.notes.count == 1 && talking.notes[0].contains("parallel.wire"))
    }

    @Test func aPartWithinAnotherCountsForItselfAlone() {
        let account = TimeAccount()
        account.start()
        account.part(.forward) {
            spin(0.02)
            account.part(.statistics) { spin(0.03) }
        }
        account.part(.evaluation) { account.part(.forward) { spin(0.02) } }
        let (parts, total) = account.seconds
        #expect(parts[.statistics]! >= 0.03 && parts[.forward]! >= 0.02 && parts[.evaluation]! >= 0.02)
        // Time counted twice would make the parts more than the whole.
        #expect(parts.values.reduce(0, +) <= total)
    }

    @Test func bodiesThatTakeTurnsEachGoOnWithTheirParts() {
        let account = TimeAccount()
        account.start()
        account.part(.forward) {
            let outer = account.pause()
            spin(0.02)
            account.part(.backward) {
                let inner = account.pause()
                account.goOn(outer)
                spin(0.01)
                #expect(account.pause() == [.forward])
                account.goOn(inner)
                spin(0.04)
            }
            account.goOn(outer)
        }
        let (parts, total) = account.seconds
        #expect(parts[.backward]! >= 0.04 && (0.01..<0.04).contains(parts[.forward]!), "\(parts)")
        // What nobody did while all were paused counts nowhere.
        #expect(parts.values.reduce(0, +) <= total - 0.02)
    }

    @Test func otherThreadsCountNowhere() throws {
        let account = TimeAccount()
        account.start()
        try SystemThread("other") { account.part(.data) { spin(0.01) } }.join()
        #expect(account.seconds.parts[.data] == nil)
        account.part(.data) {}
        #expect(account.seconds.parts[.data] != nil)
    }
}

/// Uses up time.
private func spin(_ seconds: Double) {
    let clock = ContinuousClock(), end = clock.now + .seconds(seconds)
    while clock.now < end {}
}
