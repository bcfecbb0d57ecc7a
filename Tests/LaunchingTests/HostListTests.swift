import Foundation
import Launching
import SystemPackage
import TestSupport
import Testing

@Suite struct HostListTests {
    private func parse(_ text: String) throws -> [ListedHost] { try HostList.parse(text, source: "hosts") }

    @Test func hostFilesAreReadAsPeopleWriteThem() throws {
        let two = [ListedHost(name: "n1", slots: 2), ListedHost(name: "n2", slots: 2)]
        #expect(try parse("n1 slots=2\nn2 slots=2\n") == two)
        #expect(try parse("n1 slots=2\r\nn2 slots=2\r\n") == two, "carriage returns")
        #expect(try parse("# two hosts\n\n n1 slots=02 # first\n\tn2   slots = 2   # spare") == two)
        #expect(try parse("\u{FEFF}n1:2\nn2 slots=2 max_slots=4\n") == two)
        #expect(try parse("n1 slots=08\n   n2   slots=2   # spare\n").map(\.slots) == [8, 2], "not an octal number")
        #expect(try parse("n1\nn2 slots=2\n") == [ListedHost(name: "n1"), ListedHost(name: "n2", slots: 2)])
        #expect(
            try parse("n1\nn2\nn1\n") == [ListedHost(name: "n1", slots: 2), ListedHost(name: "n2")],
            "a line for each rank")
        #expect(
            try parse("user@n1.example.org slots=1\nfe80::1%eth0\n").map(\.name) == [
                "user@n1.example.org", "fe80::1%eth0",
            ])
        #expect(try parse("\n# nobody\n").isEmpty)
    }

    @Test(arguments: [
        ("n1 slots=abc", "hosts, line 1: slots=abc: slots must be a whole number from 1 to 4096"),
        ("n1\n\nn2 slots=0\n", "hosts, line 3: slots=0: slots must be a whole number from 1 to 4096"),
        ("n1 slots=-1", "hosts, line 1: slots=-1: slots must be"),
        ("n1 slots=99999999999999999999", "hosts, line 1: slots=99999999999999999999: slots must be"),
        ("# x\nn1 slots", "hosts, line 2: 'slots' is not understood; a line is a host's name and, unless it"),
        ("n1 cores=4", "hosts, line 1: 'cores=4' is not understood"),
        ("n1 n2", "hosts, line 1: 'n2' is not understood"),
        ("-oProxyCommand=x", "hosts, line 1: '-oProxyCommand=x' is not the name of a host"),
        ("n1;reboot", "hosts, line 1: 'n1;reboot' is not the name of a host"),
        ("n\u{1B}[2J", "hosts, line 1: 'n\\x1B[2J' is not the name of a host"),
    ])
    func whatIsNotUnderstoodIsRefusedWithItsLine(_ text: String, _ message: String) throws {
        let error = try #require(throws: LaunchError.self) { try parse(text) }
        #expect(error.description.hasPrefix(message), "\(error)")
        #expect(error.status.rawValue == 64)
    }

    @Test func theListComesFromTheFileOrTheScheduler() throws {
        try withTemporaryDirectory { directory in
            let file = directory + "/nodes"
            try "a\n".write(toFile: file, atomically: true, encoding: .utf8)
            let slurm = ["SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_NTASKS_PER_NODE": "2"]
            #expect(try HostSource(file: nil, environment: slurm) == .slurm(nodes: "n[1-2]", slots: 2))
            #expect(try HostSource(file: "own", environment: slurm) == .file("own"))
            #expect(try HostSource(file: nil, environment: ["PBS_NODEFILE": file]) == .pbs(FilePath(file)))
            let kubeflow = ["OMPI_MCA_orte_default_hostfile": file, "PBS_NODEFILE": "/nowhere"]
            #expect(try HostSource(file: nil, environment: kubeflow) == .openMPI(FilePath(file)))
            #expect(try HostSource(file: nil, environment: [:]) == .thisMachine)
            // A list that cannot be seen is no list of one machine.
            let unseen = #expect(throws: LaunchError.self) {
                try HostSource(file: nil, environment: ["PBS_NODEFILE": "/nowhere"])
            }
            #expect(unseen?.description.contains("PBS_NODEFILE names /nowhere") == true)
        }
    }

    @Test func eachLineOfPBSIsARank() async throws {
        let file = FilePath(FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).nodes").path)
        defer { unlink(file.string) }
        try "n1\nn1\nn2\n".write(toFile: file.string, atomically: true, encoding: .utf8)
        let hosts = try await HostSource.pbs(file).hosts()
        #expect(hosts == [ListedHost(name: "n1", slots: 2), ListedHost(name: "n2", slots: 1)])
        try "\n".write(toFile: file.string, atomically: true, encoding: .utf8)
        await #expect(throws: LaunchError.self) { try await HostSource.pbs(file).hosts() }
    }
}
