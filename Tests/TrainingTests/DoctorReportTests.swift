import MessagePassing
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

@Suite struct MPIFindingsTests {
    private let four = MPILibrary(words: "Open MPI v4.1.4, package: …", path: "/usr/lib/libmpi.so.40")
    private let five = MPILibrary(words: "Open MPI v5.0.7, package: …", path: "/opt/lib/libmpi.so.40")

    private func lines(
        _ libraries: [(host: String, library: MPILibrary)], _ environment: [String: String], mpirun: MPIRelease? = nil
    ) -> DoctorReport {
        DoctorReport(
            findings: DoctorReport.findings(ofMPI: libraries, starter: ProcessStarter(environment), mpirun: mpirun))
    }

    @Test func oneLibraryEverywhereIsNamedWithItsFile() {
        let report = lines([("a", four), ("a", four), ("b", four)], ["OMPI_COMM_WORLD_SIZE": "3"])
        #expect(report.isHealthy)
        #expect(
            report.text.hasPrefix(
                """
                ok    MPI           Open MPI 4.1.4 (/usr/lib/libmpi.so.40), thread level multiple
                ok    launcher      Open MPI 4's mpirun started 3 ranks, which fits the library
                """), "\(report.text)")
    }

    @Test func hostsWithOtherReleasesAreNamed() {
        let report = lines([("a", four), ("b", five), ("c", four)], ["OMPI_COMM_WORLD_SIZE": "3"])
        #expect(!report.isHealthy && report.text.contains("Open MPI 4.1.4 (/usr/lib/libmpi.so.40) on a, c,"))
        #expect(report.text.contains("Open MPI 5.0.7 (/opt/lib/libmpi.so.40) on b,"))
        #expect(report.text.contains("bad   MPI           hosts have different releases of it"))
    }

    @Test func aLauncherThatDoesNotBelongToTheLibraryIsAFault() {
        let other = lines([("a", four)], ["OMPI_COMM_WORLD_SIZE": "1", "OMPI_VERSION": "5.0.7"])
        #expect(!other.isHealthy && other.text.contains("Open MPI 5.0.7's mpirun started 1 rank, and the library is"))
        let alone = lines([("a", four)], [:], mpirun: MPIRelease(.mpich, "4.0.2"))
        #expect(!alone.isHealthy && alone.text.contains("the mpirun on the PATH is MPICH 4.0.2's"))
        #expect(lines([("a", four)], [:], mpirun: MPIRelease(.openMPI, "4.1.2")).isHealthy)
        let none = lines([("a", four)], [:])
        #expect(none.isHealthy && none.text.contains("look  launcher      no mpirun on the PATH"))
    }
}
