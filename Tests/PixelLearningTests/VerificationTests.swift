import Learning
import Testing

@Suite struct VerificationTests {
    /// (loss of the reference, drift of its float32 run, what an error may be)
    @Test(arguments: [
        (0.1, 0.0, 1e-5), (-1, 0, 1e-5), (-3.5, 0, 3.5e-5), (20, 0, 2e-4), (0.5, 1e-4, 4e-4), (-2, 1e-4, 8e-4),
    ])
    func aLossMayBeOffInProportionToItsSize(_ loss: Double, _ drift: Double, _ allowed: Double) {
        #expect(abs(ReferenceComparison.tolerance(of: loss, drift: drift) - allowed) < 1e-12)
    }
}
