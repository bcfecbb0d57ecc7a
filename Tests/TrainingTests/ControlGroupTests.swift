import Testing
import Training

/// The limits that a process would find in files with these texts.
private func limits(_ files: [String: String]) -> ControlGroupLimits { ControlGroupLimits { files[$0] } }

/// Mounts as an own name space of groups, or none, shows them: the whole trees.
private let version1 = """
    31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
    32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 master:3 - cgroup cgroup rw,cpu,cpuacct
    35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
    40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
    """
private let version2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"

@Suite struct ControlGroupTests {
    @Test func aQuotaOfHalfACoreOfVersion1() {
        let found = limits([
            "/proc/self/cgroup": "5:name=systemd:/docker/ab\n4:cpu,cpuacct:/docker/ab\n3:memory:/docker/ab\n",
            // A container sees its own group alone, as the top of each tree.
            "/proc/self/mountinfo": version1.replacing(" / /sys/fs/cgroup/", with: " /docker/ab /sys/fs/cgroup/"),
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        ])
        #expect(found.processors?.amount == 0.5)
        #expect(found.processors?.group == "/sys/fs/cgroup/cpu,cpuacct")
        #expect(found.memory == nil)
    }

    @Test func memoryOfVersion1InABatchJob() {
        let found = limits([
            "/proc/self/cgroup": "4:cpu,cpuacct:/\n3:memory:/slurm/uid_7/job_9/step_0\n",
            "/proc/self/mountinfo": version1,
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "/sys/fs/cgroup/memory/slurm/memory.limit_in_bytes": "9223372036854771712\n",
            "/sys/fs/cgroup/memory/slurm/uid_7/job_9/memory.limit_in_bytes": "629145600\n",
            "/sys/fs/cgroup/memory/slurm/uid_7/job_9/step_0/memory.limit_in_bytes": "9223372036854771712\n",
        ])
        #expect(found.memory?.amount == 600 << 20)
        #expect(found.memory?.group == "/sys/fs/cgroup/memory/slurm/uid_7/job_9")
        #expect(found.processors == nil)
    }

    @Test func theLeastOfNestedGroupsOfVersion2() {
        let found = limits([
            "/proc/self/cgroup": "0::/user.slice/job.scope/inner\n", "/proc/self/mountinfo": version2,
            "/sys/fs/cgroup/user.slice/cpu.max": "150000 100000\n",
            "/sys/fs/cgroup/user.slice/memory.max": "8589934592\n",
            "/sys/fs/cgroup/user.slice/job.scope/cpu.max": "300000 100000\n",
            "/sys/fs/cgroup/user.slice/job.scope/memory.max": "1073741824\n",
            "/sys/fs/cgroup/user.slice/job.scope/inner/cpu.max": "max 100000\n",
            "/sys/fs/cgroup/user.slice/job.scope/inner/memory.max": "max\n",
            // A neighbour's.
            "/sys/fs/cgroup/user.slice/other/cpu.max": "1000 100000\n",
        ])
        #expect(found.processors?.amount == 1.5 && found.processors?.group == "/sys/fs/cgroup/user.slice")
        #expect(found.memory?.amount == 1 << 30 && found.memory?.group == "/sys/fs/cgroup/user.slice/job.scope")
    }

    @Test func aContainerOfVersion2IsTheTopOfItsTree() {
        let found = limits([
            "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": version2,
            "/sys/fs/cgroup/cpu.max": "200000 100000\n", "/sys/fs/cgroup/memory.max": "4294967296\n",
        ])
        #expect(found.processors?.amount == 2 && found.memory?.amount == 4 << 30)
    }

    @Test func bothVersionsAtOnce() {
        let found = limits([
            "/proc/self/cgroup": "4:cpu,cpuacct:/job\n3:memory:/job\n1:name=systemd:/a.scope\n0::/a.scope\n",
            "/proc/self/mountinfo": version1 + "\n"
                + version2.replacing("/sys/fs/cgroup ", with: "/sys/fs/cgroup/unified "),
            "/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "250000\n",
            "/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
            "/sys/fs/cgroup/memory/job/memory.limit_in_bytes": "2147483648\n",
            "/sys/fs/cgroup/unified/a.scope/memory.max": "1073741824\n",
        ])
        #expect(found.processors?.amount == 2.5)
        #expect(found.memory?.amount == 1 << 30 && found.memory?.group == "/sys/fs/cgroup/unified/a.scope")
    }

    @Test func aGroupThatTheTreeDoesNotShowHasTheLimitsOfItsTop() {
        for group in ["/../..", "/../other/job", "/elsewhere"] {
            let found = limits([
                "/proc/self/cgroup": "0::\(group)\n",
                "/proc/self/mountinfo": version2.replacing(" / ", with: " /mine "),
                "/sys/fs/cgroup/cpu.max": "100000 100000\n", "/sys/fs/cgroup/memory.max": "1073741824\n",
                "/sys/fs/cgroup/../../cpu.max": "1 100000\n",
            ])
            #expect(found.processors?.amount == 1 && found.memory?.amount == 1 << 30, "\(group)")
        }
    }

    @Test func anotherContainersTreeIsNotOurs() {
        let found = limits([
            "/proc/self/cgroup": "3:memory:/docker/ab/c\n",
            "/proc/self/mountinfo": """
            50 31 0:32 /docker/a /mnt/a rw - cgroup cgroup rw,memory
            51 31 0:32 /docker/ab /mnt/with\\040space rw - cgroup cgroup rw,memory
            """,
            "/mnt/a/memory.limit_in_bytes": "1000000\n",
            "/mnt/with space/c/memory.limit_in_bytes": "2000000\n",
        ])
        #expect(found.memory?.amount == 2_000_000 && found.memory?.group == "/mnt/with space/c")
    }

    @Test(arguments: [
        "max\n", "-1\n", "9223372036854771712\n", "9223372036854775807\n", "99999999999999999999\n", "",
        "max max max\n", "x\n",
        "1e300\n", "0x10\n",
    ])
    func whatIsNoLimit(_ text: String) {
        let found = limits([
            "/proc/self/cgroup": "4:cpu,cpuacct:/\n3:memory:/\n0::/\n",
            "/proc/self/mountinfo": version1 + "\n" + version2,
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": text,
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": text, "/sys/fs/cgroup/memory.max": text,
            "/sys/fs/cgroup/cpu.max": "max 100000",
        ])
        // A quota too large to matter is one all the same; it takes nothing away.
        #expect(found.processors.map { $0.amount > 1e9 } ?? true)
        #expect(found.memory == nil)
    }

    @Test func filesThatAreNotThereOrNotWhole() {
        #expect(
            limits([:])
                == limits(["/proc/self/cgroup": "nonsense\n4:cpu\n::\n", "/proc/self/mountinfo": "a b\n- - -\n"]))
        #expect(limits(["/proc/self/cgroup": "0::/\n"]).memory == nil)
        #expect(limits(["/proc/self/mountinfo": version2]).processors == nil)
    }
}
