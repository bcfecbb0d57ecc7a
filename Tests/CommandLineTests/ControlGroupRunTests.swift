import Foundation
import TestSupport
import Testing

/// A control group of version 1 below this process's own, for one command.
private struct OwnGroup {
    /// Its folders, by controller.
    let folders: [String: String]

    /// Nil where groups cannot be made here: not root, or no version 1.
    init?() {
        var folders: [String: String] = [:]
        let groups = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
        for line in groups.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard ["cpu", "memory"].contains(fields[1]) else { continue }
            let parent = "/sys/fs/cgroup/\(fields[1])" + (fields[2] == "/" ? "" : fields[2])
            let folder = "\(parent)/pixpro-test-\(getpid())"
            if mkdir(folder, 0o755) == 0 { folders[fields[1]] = folder }
        }
        self.folders = folders
        guard folders.count == 2 else {
            remove()
            return nil
        }
    }

    func set(_ controller: String, _ file: String, _ value: String) throws {
        try value.write(toFile: folders[controller]! + "/" + file, atomically: false, encoding: .utf8)
    }

    /// Groups whose processes have ended are empty folders.
    func remove() { for folder in folders.values { rmdir(folder) } }

    static let isPossible: Bool = {
        let group = OwnGroup()
        group?.remove()
        return group != nil
    }()
}

@Suite struct ControlGroupRunTests {
    @Test(.enabled(if: OwnGroup.isPossible, "needs root and control groups of version 1"))
    func theDoctorNamesTheLimitsThatItRunsUnder() throws {
        let group = try #require(OwnGroup())
        defer { group.remove() }
        try group.set("cpu", "cpu.cfs_quota_us", "50000")
        try group.set("memory", "memory.limit_in_bytes", "\(600 << 20)")
        let joined = group.folders.values.map { "echo $$ > \($0)/cgroup.procs" }.joined(separator: " && ")
        let result = try runProcess(
            "/bin/sh", ["-c", joined + " && exec \(try MPILauncher.product("pixpro")) doctor"],
            environment: MPILauncher.environment, timeLimit: 60)
        #expect(result.status == 0, "\(result)")
        #expect(result.output.contains("\(group.folders["cpu"]!) grants its processes the time of 0.5"), "\(result)")
        #expect(result.output.contains("things to look at"), "\(result)")
        #expect(
            result.output.contains(
                "0.586 GiB of memory for each rank, as much as control group \(group.folders["memory"]!) on "),
            "\(result)")
    }
}
