import Foundation
import MessagePassing
import TestSupport
import Testing

@Suite(.serialized)
struct MessagePassingTests {
    @Test(arguments: [1, 2, 3, 4])
    func collectivesWork(ranks: Int) throws {
        let result = try MPILauncher.run(
            "rank-checks", ranks: ranks, ["reductions+exchange+begun-sums+begun-parts+swaps+agree+two-threads"])
        #expect(result.status == 0 && result.output.contains("ok two-threads"), "\(result)")
    }

    @Test func worksWithoutMpirun() throws {
        let result = try runProcess(
            try MPILauncher.product("rank-checks"), ["reductions+exchange"], environment: MPILauncher.environment)
        #expect(result.status == 0 && result.output.contains("ok exchange"), "\(result)")
    }

    @Test func anErrorOnOneRankEndsAll() throws {
        let result = try MPILauncher.run("rank-checks", ranks: 3, ["throw"], timeLimit: 20)
        #expect(result.status != 0 && !result.timedOut && result.seconds < 15, "\(result)")
        #expect(result.errorOutput.contains("rank-checks: error: rank 2 ("), "\(result)")
        #expect(result.errorOutput.contains("): the disk caught fire\n"), "\(result)")
    }

    /// Ranks that call a collective with different sizes: MPI's own words, with function and rank.
    @Test func aFailedCallNamesFunctionAndRank() throws {
        let result = try MPILauncher.run("rank-checks", ranks: 2, ["truncated"], timeLimit: 20)
        #expect(result.status != 0 && !result.timedOut, "\(result)")
        #expect(
            result.errorOutput.contains("MPI_Bcast failed on rank 1: MPI_ERR_TRUNCATE: message truncated"), "\(result)")
    }

    @Test func aTrapOnOneRankEndsAll() throws {
        let result = try MPILauncher.run("rank-checks", ranks: 2, ["trap"], timeLimit: 20)
        #expect(result.status != 0 && !result.timedOut && result.seconds < 10, "\(result)")
    }

    @Test func anErrorWithoutMpirunEndsWithItsStatus() throws {
        let result = try runProcess(
            try MPILauncher.product("rank-checks"), ["throw"], environment: MPILauncher.environment)
        #expect(result.status == errorExitStatus, "\(result)")
        #expect(result.errorOutput == "rank-checks: error: the disk caught fire\n", "\(result)")
    }

    @Test func anAgreedFailureIsReportedOnce() throws {
        let result = try MPILauncher.run("rank-checks", ranks: 4, ["agreed-failure"], timeLimit: 20)
        #expect(result.status == errorExitStatus && result.seconds < 15, "\(result)")
        let message = "rank-checks: error: reading the image folders: rank 3: /data/images: permission denied"
        #expect(result.errorOutput.components(separatedBy: message).count == 2, "\(result)")
    }

    @Test func agreedErrorsNameEachCauseOnce() {
        let some = AgreedError(action: "reading", failures: [(0, "a"), (2, "b"), (5, "a")], rankCount: 6)
        #expect(some.description == "reading: ranks 0, 5: a; rank 2: b")
        let all = AgreedError(action: "reading", failures: [(0, "a"), (1, "a")], rankCount: 2)
        #expect(all.description == "reading: a")
    }
}
