import Launching
import Testing

@Suite struct RestartPolicyTests {
    private func view(
        _ time: Double, _ run: RunSight = RunSight(place: .there), ready: [String] = ["a", "b"],
        lackOfAll: String? = nil
    ) -> RestartPolicy.View {
        RestartPolicy.View(time: time, run: run, ready: ready, listed: 2, lackOfAll: lackOfAll)
    }

    private func status(_ decision: RestartPolicy.Decision) -> Int32? {
        if case .leave(let status, _) = decision { status } else { nil }
    }

    private func pause(_ decision: RestartPolicy.Decision) -> Double? {
        if case .look(let after, _) = decision { after } else { nil }
    }

    /// A policy whose first job trained to step 25 and saved step 20.
    private func running(restarts: Int = 5) -> RestartPolicy {
        var policy = RestartPolicy(.init(restarts: restarts))
        #expect(policy.decide(view(0)) == .start)
        let end = JobEnd(status: 137, began: true, lastStep: 25)
        #expect(pause(policy.ended(end, RunSight(place: .there, newestStep: 20), time: 100)) == 0)
        return policy
    }

    @Test func anEndIsPassedOn() {
        for status: Int32 in [0, 75] {
            var policy = RestartPolicy(.init(restarts: 3))
            #expect(policy.decide(view(0)) == .start)
            #expect(
                self.status(policy.ended(JobEnd(status: status, began: true), RunSight(place: .there), time: 9))
                    == status)
        }
        var policy = RestartPolicy(.init(restarts: 0))
        #expect(policy.decide(view(0)) == .start)
        #expect(status(policy.ended(JobEnd(status: 79, began: true), RunSight(place: .there), time: 9)) == 79)
    }

    @Test func withoutRestartsAHostThatLacksSomethingEndsIt() {
        var policy = RestartPolicy(.init(restarts: 0))
        #expect(status(policy.decide(view(0, ready: ["a"]))) == 69)
        policy = RestartPolicy(.init(restarts: 1))
        #expect(policy.decide(view(0, ready: ["a"])) == .start)
    }

    /// Too few hosts are waited for, as none are; a list that is too short is no matter of waiting.
    @Test func fewerHostsThanAskedForAreWaitedFor() {
        var policy = RestartPolicy(.init(restarts: 5, patience: 60, minimumHosts: 2))
        #expect(policy.decide(view(0)) == .start)
        #expect(policy.ended(JobEnd(status: 137, began: true, lastStep: 5), RunSight(place: .there), time: 9) != .start)
        guard case .look(_, let reason) = policy.decide(view(14, ready: ["b"])) else {
            Issue.record("started on one host")
            return
        }
        #expect(reason == "1 of 2 hosts can take part, at least 2 are asked for")
        #expect(policy.decide(view(24)) == .start && policy.restarts == 1)
        _ = policy.ended(JobEnd(status: 137, began: true, lastStep: 6), RunSight(place: .there), time: 30)
        _ = policy.decide(view(35, ready: ["b"]))
        #expect(status(policy.decide(view(95, ready: ["b"]))) == 69)
        policy = RestartPolicy(.init(restarts: 5, minimumHosts: 3))
        #expect(status(policy.decide(view(0))) == 64)
    }

    @Test func whatAStatusMeansIsSaid() {
        func meaning(_ status: Int32, began: Bool = true) -> String { JobEnd(status: status, began: began).meaning }
        #expect(meaning(137).contains("for lack of memory") && meaning(139) == "signal 11")
        #expect(meaning(205) == "said above", "Open MPI lost a host")
        #expect(meaning(1, began: false).hasPrefix("mpirun did not bring the ranks up"))
    }

    /// A newest step that went back, and a directory that is gone, wait, and never begin at step 0.
    @Test(arguments: [
        (RunSight(place: .gone), "gone"), (RunSight(place: .replaced), "another directory"),
        (RunSight(place: .failing("Stale file handle")), "Stale"), (RunSight(place: .there), "step 20 to none"),
        (RunSight(place: .there, newestStep: 10), "step 20 to step 10"),
    ])
    func aRunThatWentBackIsWaitedForAndNeverBegunAnew(_ sight: RunSight, _ word: String) {
        var policy = running(), time = 105.0
        for _ in 0..<1000 {
            switch policy.decide(view(time, sight)) {
            case .look(let after, let reason):
                #expect(reason.contains(word), "\(reason)")
                time += after
                continue
            case .leave(let status, let reason):
                #expect(status == 69 && reason.contains(word) && abs(time - 700) < 1, "\(reason) at \(time)")
            case .start: Issue.record("started from step 0")
            }
            break
        }
        #expect(policy.restarts == 0, "waiting costs no restart")
        var other = running()
        #expect(pause(other.decide(view(105, sight))) == 0.1)
        #expect(other.decide(view(110, RunSight(place: .there, newestStep: 20))) == .start, "it came back")
    }

    @Test func aCheckpointThatWasSetAsideIsNoStepBack() {
        var policy = running()
        #expect(policy.decide(view(105, RunSight(place: .there, newestStep: 18, setAsideStep: 20))) == .start)
        #expect(policy.newestStep == 18)
    }

    @Test func silenceIsWaitedForWithGrowingPausesAndCostsNothing() {
        var policy = running(), time = 105.0, pauses: [Double] = []
        while time < 500,
            let after = pause(policy.decide(view(time, RunSight(place: .there, newestStep: 20), ready: [])))
        {
            pauses.append(after)
            time += after
        }
        #expect(pauses.prefix(11) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30])
        #expect(pauses.allSatisfy { $0 <= 30 } && policy.restarts == 0)
        #expect(policy.decide(view(time, RunSight(place: .there, newestStep: 20))) == .start)
        #expect(policy.restarts == 1)
    }

    /// Hosts that came back are taken in on request, as often as wanted; what ended the job is forgotten.
    @Test func aRenewalCostsNoRestart() {
        var policy = RestartPolicy(.init(restarts: 0))
        for time in [0.0, 100, 200] {
            #expect(policy.decide(view(time, RunSight(place: .there, newestStep: Int(time)))) == .start)
            policy.renewed(time: time + 50)
        }
        #expect(policy.restarts == 0)
        let end = JobEnd(status: 137, began: true, lastStep: 500)
        #expect(status(policy.ended(end, RunSight(place: .there, newestStep: 200), time: 260)) == 137)
    }

    @Test func patienceIsNewAfterProgressOnly() {
        var policy = running(), time = 100.0, starts = 0, newest = 20
        // Jobs that never come up.
        while starts < 100 {
            guard policy.decide(view(time, RunSight(place: .there, newestStep: newest))) == .start else { break }
            starts += 1
            guard
                let after = pause(
                    policy.ended(
                        JobEnd(status: 1, began: false), RunSight(place: .there, newestStep: newest), time: time + 3))
            else { break }
            time += 3 + after
        }
        #expect((5...11).contains(starts) && policy.restarts <= 1, "\(starts) starts")
        (policy, time) = (running(), 105)
        for round in 1...50 {
            #expect(
                pause(policy.decide(view(time, RunSight(place: .there, newestStep: newest), ready: []))) != nil,
                "\(round)")
            time += 500
            guard policy.decide(view(time, RunSight(place: .there, newestStep: newest))) == .start else { break }
            newest += 5
            time += 100
            _ = policy.ended(
                JobEnd(status: 79, began: true, lastStep: newest + 1), RunSight(place: .there, newestStep: newest),
                time: time)
        }
        #expect(policy.restarts == 5, "five restarts were allowed, and each came further")
    }

    @Test func whatCannotBeCuredIsNotTriedAgain() {
        var policy = RestartPolicy(.init(restarts: 9))
        #expect(status(policy.decide(view(0, ready: [], lackOfAll: "does not see the pictures"))) == 78)
        policy = RestartPolicy(.init(restarts: 9))
        #expect(policy.decide(view(0)) == .start)
        let error = JobEnd(status: 78, began: false)
        #expect(pause(policy.ended(error, RunSight(place: .there), time: 4)) == 0)
        #expect(status(policy.decide(view(5))) == 78)
        // Pictures that are gone for a while are no such error.
        policy = running()
        #expect(policy.decide(view(106, RunSight(place: .there, newestStep: 20))) == .start)
        #expect(pause(policy.ended(error, RunSight(place: .there, newestStep: 20), time: 110)) == 0)
        let gone = view(111, RunSight(place: .there, newestStep: 20), ready: [], lackOfAll: "does not see the pictures")
        #expect(pause(policy.decide(gone)) == 0.1)
    }

    @Test func theSameEndAtTheSamePlaceIsGivenUp() {
        for (status, starts): (Int32, Int) in [(139, 4), (78, 2)] {
            var policy = RestartPolicy(.init(restarts: 100)), time = 0.0
            for start in 1...starts {
                #expect(policy.decide(view(time, RunSight(place: .there, newestStep: start > 1 ? 20 : 0))) == .start)
                let end = JobEnd(status: status, began: true, lastStep: 25)
                let decision = policy.ended(end, RunSight(place: .there, newestStep: 20), time: time + 50)
                #expect(
                    (self.status(decision) == (status == 78 ? 78 : 69)) == (start == starts), "\(start): \(decision)")
                time += 100
            }
        }
    }

    @Test func memoryIsNamed() {
        let end = JobEnd(status: 137, began: true)
        #expect(end.meaning.contains("lack of memory") && end.meaning.contains("batch.microBatch"))
    }
}
