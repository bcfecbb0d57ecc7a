import Testing
import Training

@Suite struct StopRequestTests {
    private typealias Request = StopRequest.Request

    @Test(arguments: [(10, 1), (15, 1_795_486_284_123), (2, 1 << 54)] as [(Int32, Int64)])
    func aWordHoldsSignalAndTime(_ signal: Int32, _ milliseconds: Int64) {
        let request = Request(signal: signal, milliseconds: milliseconds)
        #expect(request.word != 0 && Request(word: request.word) == request)
    }

    @Test func thereIsNoRequestInNoWord() { #expect(Request(word: 0) == nil) }

    /// What comes on two ways is one request, whichever signal each way makes of it; what comes later is meant.
    @Test func repeatsAreForgivenForASecond() {
        let first = Request(signal: 15, milliseconds: 5_000)
        for later: Int64 in [4_990, 5_000, 5_400, 6_000] {
            #expect(first.isRepeated(by: Request(signal: 10, milliseconds: later)), "\(later)")
        }
        for later: Int64 in [6_001, 9_000] {
            #expect(!first.isRepeated(by: Request(signal: 15, milliseconds: later)), "\(later)")
        }
    }
}
