import MessagePassing
import TestSupport
import Testing

/// Agreements on simulated ranks.
@Suite struct AgreementTests {
    private struct NoSuchFile: Error, CustomStringConvertible { var description: String { "no such file" } }

    @Test(arguments: 1...8) func successReturnsValuesAndFailuresReachEveryone(count: Int) throws {
        try SimulatedRanks(count, seed: 6).run { world in
            let value = try world.agree(on: "counting") { world.rank * 2 }
            #expect(value == world.rank * 2)
            let error = #expect(throws: AgreedError.self) {
                try world.agree(on: "opening") { if world.rank != 1 { throw NoSuchFile() } }
            }
            let failed = (0..<count).filter { $0 != 1 }
            #expect(error?.failures.map(\.rank) == failed)
            let names = failed.map(String.init).joined(separator: ", ")
            let ranks = count == 1 ? "" : failed.count == 1 ? "rank \(names): " : "ranks \(names): "
            #expect(error?.description == "opening: \(ranks)no such file")
            // The group stays usable.
            #expect(try world.sum([Int64(1)]) == [Int64(count)])
        }
    }
}
