import Files
import SystemPackage
import TensorCore
import TestSupport
import Testing
import Training

/// What a log and a page say of the machine.
@Suite struct MachineSummaryTests {
    @Test func oneHostIsNamed() {
        let summary = MachineSummary(
            hosts: ["node7", "node7"], processors: ["EPYC", "EPYC"], library: "Open MPI v4.1.4, package: Debian OpenMPI"
        )
        #expect(summary.text == "2 ranks on node7, EPYC, Open MPI 4.1.4")
        #expect(MachineSummary(hosts: ["a"], processors: ["EPYC"], library: "?").text == "1 rank on a, EPYC")
    }

    @Test func processorsAreCountedByHost() {
        let summary = MachineSummary(
            hosts: ["a", "a", "b", "b", "c"], processors: ["Xeon", "Xeon", "EPYC", "EPYC", "EPYC"], library: "MPICH 4.2"
        )
        #expect(summary.text == "5 ranks on 3 hosts, 2 × EPYC, 1 × Xeon, MPICH 4.2")
    }

    @Test func allRanksSayTheSame() throws {
        let texts = try SimulatedRanks(3).run { try MachineSummary($0, hosts: ["a", "b", "c"]).text }
        #expect(Set(texts).count == 1 && texts[0].hasPrefix("3 ranks on 3 hosts, \(Processor.model ?? "unknown")"))
    }

    @Test func thePageNamesEachMachineOnce() throws {
        try withTemporaryDirectory { path in
            let directory = RunDirectory(FilePath(path))
            _ = try MetricsFile(path: directory.metrics, firstStep: 1)
            for (step, processor) in [(0, "A <1>"), (5, "A <1>"), (9, "B")] {
                _ = try SimulatedRanks(1).run { world in
                    let machine = MachineSummary(hosts: ["node"], processors: [processor], library: "")
                    try RunHistory(directory, over: world, failures: recorded())
                        .begin(step: step, machine: machine, over: world)
                }
            }
            let page = try ReportPage([try RunRecord(directory)]).html()
            #expect(page.contains("<p>1 rank on node, A &lt;1&gt;; then 1 rank on node, B</p>"))
        }
    }
}
