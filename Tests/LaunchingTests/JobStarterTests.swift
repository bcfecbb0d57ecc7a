import Launching
import MessagePassing
import Testing

@Suite struct JobStarterTests {
    private let library = MPILibrary(words: "Open MPI v4.1.4, package: Debian OpenMPI", path: "/usr/lib/libmpi.so.40")

    @Test func openMPIOfTheLibrarysReleaseStartsJobs() throws {
        let starter = try JobStarter(MPIRelease(.openMPI, "4.1.6"), library)
        #expect(starter.dialect == .four)
        let five = MPILibrary(words: "Open MPI v5.0.7, package: Debian OpenMPI", path: "")
        #expect(try JobStarter(MPIRelease(.openMPI, "5.0.3"), five).dialect == .five)
    }

    @Test func aProgramOfAnotherMPIIsStartedByThat() {
        let own = MPILibrary(words: "MPICH Version:      4.0.2\n", path: "/usr/lib/libmpich.so.12")
        #expect(throws: LaunchError.self) { try JobStarter(MPIRelease(.openMPI, "4.1.4"), own) }
    }

    @Test func everyOtherIsRefusedWithWhatToDo() {
        func reason(_ release: MPIRelease?) -> String {
            do {
                _ = try JobStarter(release, library)
                return ""
            } catch { return "\(error)" }
        }
        #expect(reason(nil).contains("no mpirun of Open MPI on the PATH: install openmpi-bin"))
        #expect(
            reason(MPIRelease(.openMPI, "5.0.7")).contains(
                "is Open MPI 5.0.7's, but the program loads Open MPI 4.1.4 (/usr/lib/libmpi.so.40)"))
        for (maker, name) in [(MPIRelease.Maker.mpich, "mpich"), (.intel, "impi")] {
            let reason = reason(MPIRelease(maker, "4.0.2"))
            #expect(reason.contains("is \(maker.rawValue) 4.0.2's, and this program is built with Open MPI 4.1.4"))
            #expect(reason.contains("PIXPRO_MPI=\(name) swift build -c release --product pixpro"))
        }
    }
}
