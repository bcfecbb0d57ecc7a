import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct TraceTests {
    private struct Trace: Decodable {
        struct Event: Decodable {
            struct Arguments: Decodable { let name: String }
            let name: String
            let ph: String
            let pid: Int
            let tid: Int
            let ts: Double?
            let dur: Double?
            let args: Arguments?
        }
        let traceEvents: [Event]

        func spans(of rank: Int, prefix: String) -> [Event] {
            traceEvents.filter { $0.pid == rank && $0.ph == "X" && $0.name.hasPrefix(prefix) }
        }
    }

    @Test(arguments: ["overlapped", "inline"])
    func aTraceShowsEveryPartOfTheStepsOfEveryRank(communication: String) throws {
        try SmallRun.with { run in
            let file = run.directory + "/trace.json"
            let settings = SmallRun.defaults + ["run.directory=\(run.run)", "parallel.communication=\(communication)"]
            let result = try MPILauncher.run(
                "pixpro", ranks: 2,
                ["train", "--trace", file] + settings.flatMap { ["--set", $0] } + [SmallRun.data + "/images/train"],
                timeLimit: 90)
            #expect(result.status == 0, "\(result)")
            let trace = try JSONDecoder().decode(Trace.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
            for rank in 0...1 {
                let events = trace.traceEvents.filter { $0.pid == rank }
                let spans = events.filter { $0.ph == "X" }
                func count(_ name: String) -> Int { spans.count { $0.name == name } }
                #expect(
                    events.filter { $0.ph == "M" }.map(\.args?.name) == ["rank \(rank)", "compute", "communication"]
                        + (1...4).map { "pass \($0)" })
                // Two momentum networks and two views forward, then two views backward, in turns.
                for pass in 1...4 {
                    let names = Set(spans.filter { $0.tid == 1 + pass }.map(\.name))
                    let ways = ["momentum forward", "forward", "backward"].filter(names.contains)
                    #expect(ways == (pass <= 2 ? ["momentum forward", "backward"] : ["forward"]), "\(names)")
                    #expect(names.contains("statistics"))
                }
                #expect((1...4).allSatisfy { count("step \($0)") == 1 } && count("step 5") == 0)
                // Two views through both networks, one of them backward as well.
                #expect(count("data") == 4 && count("optimizer") == 4 && count("momentum update") == 4)
                #expect(count("forward") == 8 && count("momentum forward") == 8 && count("backward") == 8)
                #expect(count("statistics") > 100 && count("bucket 0") == 4)
                let buckets = trace.spans(of: rank, prefix: "bucket ")
                // Buckets are on their way while their rank computes.
                let waits = trace.spans(of: rank, prefix: "waiting for buckets")
                #expect(waits.count == 4 && waits.allSatisfy { $0.tid == 0 })
                // A thread has a core only now and then here, and the other rank may be late in any one step.
                let travelling = buckets.map { $0.ts! + (communication == "inline" ? $0.dur! : 0) }
                #expect(travelling.count > 4)
                #expect(
                    waits.contains { wait in
                        let step = spans.first { $0.name.hasPrefix("step") && $0.ts! + $0.dur! > wait.ts! }
                        return travelling.contains { $0 > step?.ts ?? .infinity && $0 < wait.ts! }
                    })
                #expect(buckets.allSatisfy { $0.tid == 1 } && spans.count { $0.tid == 1 } == buckets.count)
                // Everything lies in a step.
                let steps = spans.filter { $0.name.hasPrefix("step") }.map { ($0.ts! - 1, $0.ts! + $0.dur! + 1) }
                for span in spans {
                    #expect(steps.contains { $0.0 <= span.ts! && span.ts! + span.dur! <= $0.1 }, "\(span)")
                }
            }
        }
    }

    @Test func aTraceThatCannotBeWrittenIsSaidAtTheStart() throws {
        try SmallRun.with { run in
            let result = try MPILauncher.run(
                "pixpro", ranks: 2,
                ["train", "--trace", run.directory + "/none/trace.json"]
                    + (SmallRun.defaults + ["run.directory=\(run.run)"]).flatMap { ["--set", $0] }
                    + [SmallRun.data + "/images/train"])
            #expect(result.status != 0 && result.errorOutput.contains("none/trace.json"), "\(result)")
        }
    }
}
