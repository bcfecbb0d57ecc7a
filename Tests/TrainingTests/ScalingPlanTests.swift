import DataParallel
import Files
import Foundation
import SystemPackage
import TensorCore
import TestSupport
import Testing
import Training

/// Plans for many nodes, and the file that they are made from.
@Suite struct ScalingPlanTests {
    private func configuration(_ settings: [String] = []) throws -> RunConfiguration {
        try RunConfiguration.parse(
            yaml: "", name: "", overrides: ["model.architecture=resnet18", "data.imageSize=64"] + settings
        ).configuration
    }

    /// A step of 100 ms with 8 images, of 60 with 4; 100 sums of 4 KB, and gradients of 40 MB, half of them in its middle.
    private func node(_ configuration: RunConfiguration, cores: Int = 4) -> NodeMeasurement {
        let half =
            Array(repeating: StepTimeline.Segment(seconds: 0.0009, message: .awaited(4096)), count: 50)
            + [.init(seconds: 0.0025, message: .gradients(20_000_000))]
        let timeline = StepTimeline(microBatch: half + half, update: [.init(seconds: 0.005, message: .awaited(8))])
        return NodeMeasurement(
            task: "resnet18", configuration, precision: .float32, cores: cores, threads: cores, images: 8,
            fewerImages: 4,
            steps: .init(
                timeline: timeline, delays: DelayRates([1e-4, 2e-4, 1e-3], observedSeconds: 2),
                fewerImagesSeconds: 0.055,
                deviation: 0.001),
            links: .init(sumBytesPerSecond: 1e10))
    }

    private func plan(_ settings: [String], network: String = "10Gbit:20us", ranksPerNode: Int = 1) throws
        -> ScalingPlan
    {
        let configuration = try configuration(["parallel.passes=inTurn"] + settings)
        return ScalingPlan(
            configuration, node(configuration),
            .init(
                ranksPerNode: ranksPerNode, network: try NetworkLink(text: network), failuresPerNodeYear: 2,
                memoryPerNode: 16 << 30))
    }

    @Test func oneNodeIsTheMeasuredStep() throws {
        let row = try plan(["batch.perRank=8"]).row(nodes: 1)
        // Its usual pieces, and the delays: 1.3 ms in two seconds.
        let seconds = 0.1 * 1.00065
        #expect(abs(row.step.seconds - seconds) < 1e-9 && abs(row.efficiency - 1) < 1e-9 && row.sent == 0)
        #expect(abs(row.rate - 8 / seconds) < 1e-6 && row.batch.global == 8)
    }

    @Test func moreNodesLoseMore() throws {
        let plan = try plan(["batch.perRank=8"])
        let rows = try [1, 4, 16, 64, 256, 1000].map(plan.row)
        for (fewer, more) in zip(rows, rows.dropFirst()) {
            #expect(fewer.efficiency > more.efficiency && fewer.rate < more.rate)
        }
        // A thousand nodes: 101 sums in at least ten rounds of 20 µs.
        #expect(rows[5].step.awaited > 101 * 10 * 20e-6 && rows[5].step.stragglers > 0)
        // Twice in a year each.
        #expect(abs(rows[5].goodput.secondsBetweenFailures - 15_778.8) < 1e-6 && rows[5].goodput.share < 0.995)
        let losses = rows[5].losses
        #expect(rows[5].limit == losses.max { $0.value < $1.value }?.key)
    }

    @Test func aFixedBatchLeavesFewImages() throws {
        let plan = try plan(["batch.global=256"], network: "1000Gbit:1us")
        let row = try plan.row(nodes: 256)
        #expect(row.batch.mostImagesAtOnce == 1 && row.limit == .shares)
        // 15 ms of a micro-batch are there for one image as for eight.
        let advice = try plan.advice(nodes: 256)
        #expect(advice.contains { $0.text.hasPrefix("batch.perRank=8: a batch of 2048") }, "\(advice)")
        #expect(zip(advice, advice.dropFirst()).allSatisfy { $0.gain >= $1.gain })
        #expect(throws: (any Error).self) { try plan.row(nodes: 257) }
        #expect(plan.text(nodes: [4, 257]).contains("257 nodes: batch.global: 256 images are fewer than 257 ranks"))
    }

    @Test func slowNetworksWantFewerBytes() throws {
        let slow = try plan(["batch.perRank=8"], network: "100Mbit:0.1ms")
        #expect(try slow.row(nodes: 16).limit == .gradients)
        let advice = try slow.advice(nodes: 16)
        let halved = try #require(advice.first { $0.text == "parallel.wire=bfloat16" })
        #expect(halved.gain > 0.5 && halved.gain < 1)
        // Up to 64 ranks gradients travel while their rank computes, also without a thread.
        let fewer = try plan(["batch.perRank=8"], network: "3Gbit:20us").advice(nodes: 16)
        #expect(!fewer.contains { $0.text.hasPrefix("parallel.communication=overlapped") }, "\(fewer)")
        let fast = try plan(["batch.perRank=8"], network: "3Gbit:20us").advice(nodes: 128)
        #expect(fast.contains { $0.text.hasPrefix("parallel.communication=overlapped") }, "\(fast)")
        // Also where all threads are said to compute.
        let fixed = try plan(["batch.perRank=8", "parallel.threads=4"], network: "3Gbit:20us").advice(nodes: 128)
        #expect(fixed == fast)
        let text = slow.text(nodes: [4, 16])
        #expect(text.contains("network 100 Mbit/s, 100 µs") && text.contains("what would help 16 nodes:"), "\(text)")
        #expect(!text.contains("NOTE"), "\(text)")
        let threads = try plan(["batch.perRank=8", "parallel.threads=2"]).text(nodes: [4])
        #expect(threads.contains("NOTE: a run computes on 2 threads of such a rank, not on 4"), "\(threads)")
        let other = try plan(["batch.perRank=8", "parallel.passes=auto"]).text(nodes: [4])
        #expect(other.contains("NOTE: passes were measured in turn"), "\(other)")
    }

    @Test func whatIsTypedIsRead() throws {
        #expect(try NodeCounts("16, 4,1000,4").counts == [4, 16, 1000])
        for wrong in ["", "4,", "x", "0", "-3", "100001", "4;16"] {
            let error = #expect(throws: ScalingError.self, "\(wrong)") { try NodeCounts(wrong) }
            #expect(error?.description.contains("write them with commas: 4,16,64") == true)
        }
        let link = try NetworkLink(text: "25Gbit:2us")
        #expect(link.bandwidth == 25e9 / 8 && abs(link.latency - 2e-6) < 1e-15 && link.text == "25 Gbit/s, 2 µs")
        #expect(try NetworkLink(text: "100mbit:0.2ms").text == "100 Mbit/s, 200 µs")
        for wrong in ["", "25Gbit", "25:2us", "25Gbit:2", "0Gbit:2us", "-1Gbit:2us", "25Gbit:2us:3us", "nanGbit:1us"] {
            let error = #expect(throws: ScalingError.self, "\(wrong)") { try NetworkLink(text: wrong) }
            #expect(error?.description.contains("such as 25Gbit:2us") == true)
        }
    }

    @Test func theFileIsReadAsItWasWritten() throws {
        try withTemporaryDirectory { folder in
            let configuration = try configuration(), path = FilePath(folder + "/node.json")
            var node = node(configuration)
            node.links.network = NetworkLink(latency: 2e-5, bandwidth: 1.25e9, loadedLatency: 1e-3)
            try node.write(to: path)
            #expect(try NodeMeasurement.read(path) == node)
            try node.check(configuration)
            let other = try self.configuration(["data.imageSize=96"])
            let mismatch = #expect(throws: ScalingError.self) { try node.check(other) }
            #expect(mismatch?.description.contains("measure with the same --config and --set") == true)

            let text = try String(contentsOfFile: folder + "/node.json", encoding: .utf8)
            func refusal(_ damaged: String) throws -> String {
                try damaged.write(toFile: folder + "/node.json", atomically: true, encoding: .utf8)
                return (#expect(throws: FileError.self) { try NodeMeasurement.read(path) })?.description ?? ""
            }
            #expect(try refusal(String(text.dropLast(40))).contains("(no JSON); measure anew: pixpro-bench measure"))
            #expect(try refusal(text.replacing("\"cores\"", with: "\"kernels\"")).contains("(no cores)"))
            #expect(try refusal(text.replacing("\"threads\" : 4", with: "\"threads\" : \"x\"")).contains("threads is "))
            #expect(try refusal(text.replacing("\"version\" : 2", with: "\"version\" : 1")).contains("of version 1"))
            #expect(try refusal(text.replacing("\"images\" : 8", with: "\"images\" : 0")).contains("sensible counts"))
            #expect(try refusal(text.replacing("0.0009", with: "-1")).contains("a step without time"))
            try FileManager.default.removeItem(atPath: folder + "/node.json")
            let missing = #expect(throws: FileError.self) { try NodeMeasurement.read(path) }
            #expect(missing?.description.contains("is not there; measure anew") == true)
        }
    }
}
