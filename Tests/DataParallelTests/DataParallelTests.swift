import DataParallel
import TestSupport
import Testing

@Suite(.serialized)
struct DataParallelTests {
    @Test func ranksReduceGradients() throws {
        let result = try MPILauncher.run(
            "rank-checks", ranks: 3, ["reducer+halved+accumulation+statistics+interleaved-passes+replicas+other-plan"])
        #expect(result.status == 0 && result.output.contains("ok other-plan"), "\(result)")
    }

    @Test(arguments: [2, 3]) func bucketsTravelWhileTheirRankComputes(ranks: Int) throws {
        let result = try MPILauncher.run(
            "rank-checks", ranks: ranks, ["travelling-buckets+checked-buckets"], timeLimit: 60)
        #expect(result.status == 0 && result.output.contains("ok checked-buckets"), "\(result)")
    }
}

struct BucketPlanTests {
    let parameters = [("a", 1000), ("b", 17), ("c", 3000), ("d", 1), ("e", 16)]

    @Test func bucketsFillFromTheLastParameter() {
        let plan = BucketPlan(parameters: parameters, firstBucketBytes: 128, bucketBytes: 12_000)
        #expect(plan.buckets.map { $0.slots.map(\.parameter) } == [[4, 3], [2], [1, 0]])
        #expect(plan.buckets.map { $0.slots.map(\.offset) } == [[0, 16], [0], [0, 32]])
        #expect(plan.buckets.map(\.count) == [32, 3008, 1040])
    }

    @Test func hashSeesNamesSizesAndPlaces() {
        let plan = BucketPlan(parameters: parameters)
        var renamed = parameters
        renamed[1].0 = "B"
        var resized = parameters
        resized[1].1 = 18
        #expect(plan.hash == BucketPlan(parameters: parameters).hash)
        #expect(plan.hash != BucketPlan(parameters: renamed).hash)
        #expect(plan.hash != BucketPlan(parameters: resized).hash)
        #expect(plan.hash != BucketPlan(parameters: parameters, firstBucketBytes: 128).hash)
        #expect(plan.hash != BucketPlan(parameters: parameters.reversed()).hash)
    }

    @Test func noParametersNoBuckets() { #expect(BucketPlan(parameters: []).buckets.isEmpty) }
}
