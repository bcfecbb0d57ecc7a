import Launching
import Testing

/// 10,000 nights of outages, slow mounts, missing pieces and deaths. A seed names its night.
@Suite struct NightTests {
    private static let nights: UInt64 = 10_000

    /// Either the schedule is done, or there was a reason.
    @Test func everyNightEndsWithAllStepsOrForAReason() {
        var done = 0, patienceEnded = 0
        for seed in 0..<Self.nights {
            var night = Night(seed: seed, curse: nil)
            let outcome = night.run()
            #expect(outcome.violations.isEmpty, "night \(seed): \(outcome)")
            #expect(outcome.restarts <= min(outcome.jobsThatRan, Night.restartLimit), "night \(seed): \(outcome)")
            switch outcome.status {
            case 0: done += 1
            case 69 where outcome.reason.contains("--patience"):
                patienceEnded += 1
                #expect(outcome.barrenSeconds >= Night.patience, "night \(seed): \(outcome)")
            case 69: #expect(outcome.reason.contains("came no further than"), "night \(seed): \(outcome)")
            // The last save had no directory, twice; or hosts lacked the pictures from the first.
            case 78:
                #expect(
                    outcome.reason.contains("came no further") || outcome.reason.contains("cure"),
                    "night \(seed): \(outcome)")
            default: Issue.record("night \(seed): \(outcome)")
            }
        }
        // Outages that are longer than patience end some nights; most go on.
        #expect(done > Int(Self.nights) * 8 / 10, "\(done) were done, \(patienceEnded) waited in vain")
        #expect(patienceEnded > 0)
    }

    @Test(arguments: Night.Curse.allCases)
    func whatNoStartCuresIsGivenUpSoon(_ curse: Night.Curse) {
        for seed in 0..<Self.nights / 10 {
            var night = Night(seed: seed, curse: curse)
            let outcome = night.run()
            #expect(outcome.violations.isEmpty, "night \(seed), \(curse): \(outcome)")
            switch curse {
            case .refusal:
                #expect(
                    [69, 78].contains(outcome.status) && outcome.jobsThatRan <= 8, "night \(seed), \(curse): \(outcome)"
                )
            case .noPictures:
                #expect(outcome.starts == 0 && [69, 78].contains(outcome.status), "night \(seed): \(outcome)")
            case .crash, .error:
                // Where hosts fail before the step is reached there are more starts.
                #expect(
                    [69, 78].contains(outcome.status) && outcome.starts <= 20, "night \(seed), \(curse): \(outcome)")
            case .noStart:
                #expect(
                    [69, 78].contains(outcome.status) && outcome.restarts == 0 && outcome.starts <= 12,
                    "night \(seed): \(outcome)")
            case .lostDirectory: #expect([0, 69, 78].contains(outcome.status), "night \(seed): \(outcome)")
            }
        }
    }
}
