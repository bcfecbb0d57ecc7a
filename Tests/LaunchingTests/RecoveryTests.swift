import Launching
import Testing
import Training

/// What a recovery took is split by what it went on.
@Suite struct RecoveryTests {
    /// A history of two starts: the first trains to step 50, the second goes on from step 48.
    private func history(isBack: Bool) -> [RunEvent] {
        let before = [
            RunEvent(.run, time: 0, identity: "x"), RunEvent(.start, time: 2, step: 0, began: 1),
            RunEvent(.beat, time: 99, step: 49), RunEvent(.ended, time: 103, status: 79),
        ]
        let start = RunEvent(
            .start, time: 108, step: 48, began: 105.5,
            spent: [StartPart.pictures.rawValue: 0.5, StartPart.checkpoint.rawValue: 1.25])
        return before + [start]
            + (isBack ? [RunEvent(.beat, time: 108.5, step: 49), RunEvent(.beat, time: 110, step: 51)] : [])
    }

    @Test func thePartsAreNamedAndSumUp() throws {
        let fault = Recovery.Fault(lastSign: 100, lastStep: 50, noticed: 102.5, ended: 103)
        #expect(Recovery(after: fault, started: 104, history: history(isBack: false), known: 4) == nil, "not back yet")
        let recovery = try #require(
            Recovery(after: fault, started: 104, history: history(isBack: true), known: 4))
        #expect(recovery.seconds == 8.5 && recovery.stepsLost == 2)
        #expect(recovery.parts.reduce(0) { $0 + $1.seconds } == 8.5)
        #expect(
            recovery.text
                == "back in 8.5 s, 2 steps done again from step 48: noticing 2.5 s, ending the job 0.5 s, looking at hosts "
                + "1.0 s, starting ranks 1.5 s, finding pictures 0.5 s, loading the checkpoint 1.25 s, checks 0.75 s, first "
                + "step 0.5 s")
    }

    /// mpirun ended the ranks itself, and the run has lost nothing.
    @Test func aJobThatMpirunEndedIsNoticedAndEndedAtOnce() throws {
        let fault = Recovery.Fault(lastSign: 102, lastStep: 48, noticed: nil, ended: 103)
        let recovery = try #require(
            Recovery(after: fault, started: 104, history: history(isBack: true), known: 4))
        #expect(recovery.stepsLost == 0 && recovery.text.contains(": noticing and ending the job 1.0 s, looking"))
    }
}
