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

    /// Bytes are counted: those of two runs are equal, and rows add up to the sum of all.
    @Test func trafficIsCountedOperationByOperation() throws {
        func measured() throws -> [[String: Any]] {
            try figures([
                "step", "--architecture", "resnet18", "--image-size", "32", "--batch", "2", "--steps", "1", "--traffic",
            ]).filter { $0["name"] as? String == "traffic" }
        }
        let rows = try measured(), megabytes = try rows.map { try number($0, "MB/pair") }
        let sum = try #require(megabytes.last)
        #expect(abs(megabytes.dropLast().reduce(0, +) - sum) < 1e-6 * sum && sum > 0)
        #expect(try measured().map { try number($0, "MB/pair") } == megabytes)
        for stage in ["loading", "averaging", "forward alone", "forward", "backward", "update"] {
            #expect(rows.contains { $0["stage"] as? String == stage }, "\(stage)")
        }
        // Twenty layers of the encoder, by two networks on two views.
        let runs = try rows.filter { $0["operation"] as? String == "NormalizedConvolution" }.map {
            try number($0, "runs")
        }
        #expect(runs == [40, 40, 40])
    }

    @Test func aStepIsOfTheMethodThatIsNamed() throws {
        let arguments = [
            "step", "--architecture", "resnet18", "--image-size", "32", "--batch", "2", "--steps", "1", "--traffic",
        ]
        func operations(_ set: [String]) throws -> Set<String> {
            let rows = try figures(arguments + set.flatMap { ["--set", $0] })
            #expect(rows.first?["method"] as? String == (set.isEmpty ? "defaults" : set.joined(separator: " ")))
            return Set(rows.compactMap { $0["operation"] as? String })
        }
        #expect(try operations([]).contains("propagate"))
        let contrast = try operations(["method.name=pixcontrast", "method.instance.kind=simclr"])
        #expect(!contrast.isEmpty && !contrast.contains("propagate"))
        for (key, answer) in [("method.nmae=pixcontrast", "method.nmae"), ("batch.global=4", "begin with method.")] {
            let result = try MPILauncher.run("pixpro-bench", arguments + ["--set", key], timeLimit: 60)
            #expect(result.status != 0 && "\(result)".contains(answer), "\(result)")
        }
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

    @Test(arguments: ["segmentation", "detection"]) func fineTuningStepsAreTimed(_ kind: String) throws {
        let step = try figures(
            ["dense", kind, "--architecture", "resnet18", "--size", "64", "--batch", "1", "--steps", "1"], ranks: 2
        ).first
        #expect(step?["name"] as? String == kind)
        let seconds = try number(step, "s/step"), share = try number(step, "of it convolutions")
        #expect(abs(try number(step, "images/s") * seconds - 2) < 1e-9 && share > 0 && share < 1)
    }

    @Test(arguments: ["inference", "layer", "training"]) func inpaintingIsTimed(_ part: String) throws {
        let lines = try figures(["inpainting", part, "--size", "64", "--batch", "1", "--channels", "8", "--steps", "1"])
        #expect(lines.map { $0["name"] as? String } == ["inpainting \(part)", "memory"])
        #expect(try number(lines[0], part == "training" ? "s/generator's update" : "s/picture") > 0)
    }

    /// Two ranks of one host measure steps and their shared memory; a plan for many nodes is made from that.
    @Test func aNodeIsMeasuredForPlans() throws {
        try withTemporaryDirectory { folder in
            let file = folder + "/node.json"
            let network = [
                "model.architecture=resnet18", "model.projectorWidth=32", "data.imageSize=32", "precision=float32",
            ].flatMap {
                ["--set", $0]
            }
            let lines = try figures(
                ["measure", "--batch", "2", "--steps", "2", "--output", file] + network, ranks: 2)
            #expect(lines.map { $0["name"] as? String } == ["node", "within a host"])
            // Of 21 normalisations, forward of both views in both networks and backward in one; and two of the step itself.
            #expect(try number(lines[0], "messages awaited") == 21 * 6 + 2)
            #expect(try number(lines[0], "buckets") == 3 && number(lines[1], "Gbit/s") > 0)
            // The first bucket is complete while the backward pass still sums statistics.
            let node = try String(contentsOfFile: file, encoding: .utf8)
            let bucket = try #require(node.range(of: "\"gradients\""))
            let lastSum = try #require(node.range(of: "\"awaited\"", options: .backwards))
            let sums = node[bucket.upperBound...].components(separatedBy: "\"awaited\"").count - 1
            #expect(bucket.lowerBound < lastSum.lowerBound && sums > 10, "\(sums) sums behind the first bucket")

            func plan(_ arguments: String...) throws -> ProcessResult {
                try MPILauncher.run(
                    "pixpro", ["plan", "--measured", file, "--set", "batch.perRank=2"] + network + arguments)
            }
            let table = try plan("--nodes", "1,1000", "--network", "25Gbit:2us", "--failures-per-node-year", "4")
            #expect(table.status == 0, "\(table)")
            let rows = table.output.split(separator: "\n").map { $0.split(separator: " ") }
            #expect(rows.contains { $0.starts(with: ["1", "1", "2"]) && $0.contains("100.0") }, "\(table)")
            #expect(rows.contains { $0.starts(with: ["1000", "1000", "2000"]) }, "\(table)")

            for (arguments, message) in [
                (["--nodes", "4"], "was measured on one host: give --network, such as 25Gbit:2us"),
                (["--nodes", "4,x", "--network", "1Gbit:2us"], "'x' is no number of nodes from 1 to 100000"),
                (["--nodes", "4", "--network", "1Gbit"], "'1Gbit' is no network: write bits a second and a latency"),
                (
                    ["--nodes", "4", "--network", "1Gbit:2us", "--set", "data.imageSize=64"],
                    "or pictures of another size"
                ),
                (["--nodes", "4", "--ranks", "4"], "give either --ranks or --nodes"),
                ([], "give either --ranks or --nodes"),
            ] {
                let refused = try MPILauncher.run("pixpro", ["plan", "--measured", file] + network + arguments)
                #expect(refused.status != 0 && refused.errorOutput.contains(message), "\(arguments): \(refused)")
            }
        }
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
