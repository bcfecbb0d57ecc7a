import Testing
import Training

@Suite struct DoctorReportTests {
    @Test func findingsAreLinesWithTheirRemedies() {
        let report = DoctorReport(findings: [
            .init(.ok, "MPI", "Open MPI v4.1.4"), .init(.look, "open files", "64 allowed", remedy: "ulimit -n 1024"),
            .init(.ok, "threads", "\nthreads  cores\nrank 0       2"),
        ])
        #expect(report.isHealthy)
        #expect(
            report.text == """
                ok    MPI           Open MPI v4.1.4
                look  open files    64 allowed
                                    → ulimit -n 1024
                ok    threads       threads  cores
                                    rank 0       2
                no fault, 1 thing to look at
                """)
    }

    @Test func onlyFaultsAreCounted() {
        let one = DoctorReport(findings: [
            .init(.bad, "processor", "WITHOUT avx2", remedy: "rebuild"), .init(.look, "memory", "1 GiB"),
        ])
        #expect(!one.isHealthy && one.text.hasSuffix("\n1 fault"))
        let two = DoctorReport(findings: [.init(.bad, "processor", "a"), .init(.bad, "threads", "b")])
        #expect(!two.isHealthy && two.text.hasSuffix("\n2 faults"))
        #expect(DoctorReport(findings: []).text == "nothing is wrong")
    }
}
