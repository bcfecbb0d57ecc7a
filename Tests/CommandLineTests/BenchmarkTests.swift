import Foundation
import TestSupport
import Testing

/// The figures of `pixpro-bench` on settings so small that only their form and their counts mean anything.
@Suite(.serialized) struct BenchmarkTests {
    private func figures(_ arguments: [String], ranks: Int? = nil) throws -> [[String: Any]] {
        let result =
            if let ranks {
                try MPILauncher.run("pixpro-bench", ranks: ranks, arguments + ["--json"], timeLimit: 120)
            } else {
                try MPILauncher.run("pixpro-bench", arguments + ["--json"], timeLimit: 120)
            }
        #expect(result.status == 0, "\(result)")
        return try result.output.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any], "\($0)")
        }
    }

    private func number(_ figure: [String: Any]?, _ key: String) throws -> Double {
        try #require((figure?[key] as? NSNumber)?.doubleValue, "no \(key) in \(String(describing: figure))")
    }

    /// Of 4 KiB or more on the heap, by any library; a count that does not depend on the machine's speed or load.
    @Test(arguments: ["float32", "bfloat16"]) func aStepAfterTheSecondAllocatesNothingLarge(_ precision: String) throws
    {
        let step = try figures([
            "step", "--architecture", "resnet18", "--image-size", "64", "--batch", "4", "--steps", "2", "--precision",
            precision,
        ]).first
        #expect(try number(step, "large allocations/step") == 0)
        // The counter counts: a model and its maps were made before.
        #expect(try number(step, "large allocations before") > 200)
        #expect(try number(step, "images/s") > 0 && number(step, "peak GB") > 0.01)
    }

    @Test func everySubcommandPrintsItsFigures() throws {
        let loader = try figures([
            "loader", SmallRun.data + "/images/train", "--image-size", "32", "--repetitions", "1",
        ])
        #expect(loader.map { $0["name"] as? String } == ["loader decode", "loader views"])
        for figure in loader { #expect(try number(figure, "images") == 30 && number(figure, "ms/image") > 0) }

        let kernels = try figures([
            "kernels", "--architecture", "resnet18", "--image-size", "32", "--batch", "1", "--repetitions", "1",
        ])
        // The peak, 14 distinct shapes in three directions (the pixels want no gradient), the sum.
        #expect(kernels.count == 43 && kernels.first?["name"] as? String == "kernels peak")
        let rows = kernels.filter { $0["name"] as? String == "kernel" }
        // Twenty layers of the encoder and two of the projector, forward by both networks; one of the propagation.
        #expect(try rows.reduce(0) { try $0 + number($1, "in a step") } == 8 * 22 - 2 + 6)
        #expect(try number(kernels.last, "GFLOP/s") > 0)
        let worst = try number(kernels.last, "of it in the ten rows that are furthest from the rate")
        #expect(worst > 0 && worst < 1)

        let sums = try figures(["allreduce", "--repetitions", "1"], ranks: 2)
        #expect(try sums.map { try number($0, "KiB") } == [4, 1024, 16384, 128_998])
        for sum in sums { #expect(try number(sum, "ranks") == 2 && number(sum, "ms bare") > 0) }
    }

    @Test func startIsTimedFromMpirunToTheFirstStep() throws {
        try withTemporaryDirectory { folder in
            let config = folder + "/small.yaml"
            try "data: {roots: [\(SmallRun.data)/images/train]}".write(
                toFile: config, atomically: true, encoding: .utf8)
            let start = try figures(
                ["start", "--config", config, "--repetitions", "1"]
                    + SmallRun.defaults.flatMap { ["--set", $0] }
            ).first
            let first = try number(start, "s to first step"), before = try number(start, "s before it")
            #expect(before > 0 && first > before && first < 120)
        }
    }
}
