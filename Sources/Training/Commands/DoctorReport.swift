import Files
import Glibc
import Learning
package import MessagePassing
import SystemPackage
import TensorCore

/// What the machines of a job offer, and what is wrong with them.
package struct DoctorReport: Sendable {
    package enum Level: String, Sendable { case ok, look, bad }

    package struct Finding: Sendable {
        let level: Level
        let subject: String
        let text: String
        let remedy: String

        package init(_ level: Level, _ subject: String, _ text: String, remedy: String = "") {
            (self.level, self.subject, self.text, self.remedy) = (level, subject, text, remedy)
        }
    }

    private(set) var findings: [Finding] = []

    package var isHealthy: Bool { !findings.contains { $0.level == .bad } }

    package init(findings: [Finding]) { self.findings = findings }

    /// Collective.
    ///
    /// - Parameter mpirun: the one on the PATH, for a process that none started.
    package init(_ runtime: MPIRuntime, _ configuration: RunConfiguration, mpirun: MPIRelease?) throws {
        let world = runtime.world
        let host = try HostLayout(runtime)
        let names = try world.allGather(runtime.hostName)
        let hosts = names.reduce(into: [(String, Int)]()) { list, name in
            if let index = list.firstIndex(where: { $0.0 == name }) {
                list[index].1 += 1
            } else {
                list.append((name, 1))
            }
        }
        let library = MPILibrary.ofThisProcess
        let words = try world.allGather(library.words), paths = try world.allGather(library.path)
        findings += Self.findings(
            ofMPI: names.indices.map { (names[$0], MPILibrary(words: words[$0], path: paths[$0])) },
            starter: .ofThisProcess, mpirun: mpirun)
        add(
            .ok, "ranks",
            "\(world.size) on " + hosts.prefix(8).map { "\($0.0) (\($0.1))" }.joined(separator: ", ")
                + (hosts.count > 8 ? " and \(hosts.count - 8) more hosts" : ""))
        addProcessor()
        addMatrixLibrary()
        addCores(host, world, configuration)
        addMemory(host)
        try addAllReduce(world)
        addLimits()
        let worst = try world.maximum([Int64(isHealthy ? 0 : 1)])[0]
        if worst > 0, isHealthy { add(.bad, "other hosts", "at least one reports a fault", "run pixpro doctor there") }
    }

    private mutating func add(_ level: Level, _ subject: String, _ text: String, _ remedy: String = "") {
        findings.append(Finding(level, subject, text, remedy: remedy))
    }

    private mutating func addProcessor() {
        guard let model = Processor.model else {
            return add(.look, "processor", "unknown: /proc/cpuinfo cannot be read")
        }
        let missing = Processor.features.isEmpty ? [] : ["avx2", "fma", "bmi2"].filter { !Processor.has([$0]) }
        let extras = ["avx512f", "avx512_bf16", "amx_bf16"].filter { Processor.has([$0]) }
        add(
            missing.isEmpty ? .ok : .bad, "processor",
            model + ", \(missing.isEmpty ? "AVX2 and FMA" : "WITHOUT \(missing.joined(separator: ", "))")"
                + (extras.isEmpty ? "" : ", " + extras.joined(separator: ", ")),
            missing.isEmpty ? "" : "this build needs x86-64-v3; rebuild without -march=x86-64-v3 in Package.swift")
    }

    private mutating func addMatrixLibrary() {
        add(.ok, "matrices", MatrixLibrary.summary)
        for type in ElementType.allCases {
            let engines = EngineList.fastest.candidates(type).map { "\($0.engine.name) (\($0.rule))" }
            let vectors = type.vectorInstructions.map { ", own kernels in \($0.rawValue)" } ?? ""
            add(
                EngineList.oneDNN == nil ? .look : .ok, "convolutions",
                "\(type)\(vectors): " + engines.joined(separator: ", else "),
                EngineList.oneDNN == nil
                    ? "install libdnnl-dev and build again: oneDNN's convolutions are faster than matrix products" : "")
        }
    }

    private mutating func addCores(_ host: HostLayout, _ world: any Collective, _ configuration: RunConfiguration) {
        let masks = host.masks.map { "\($0.cores.count)" }
        add(.ok, "cores", "given to the ranks of this host: \(masks.joined(separator: ", "))")
        let online = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let used = Set(host.masks.flatMap(\.cores)).count
        if used < online {
            add(
                .look, "binding", "\(used) of this host's \(online) cores are in use",
                "mpirun binds 1 or 2 ranks to one core each: use --map-by slot:PE=\(online / max(host.masks.count, 1)) "
                    + "--bind-to core, or --bind-to none; srun gives a task one core unless asked: "
                    + "--cpus-per-task=\(online / max(host.masks.count, 1))")
        }
        if let quota = host.quota, quota.amount < Double(used) {
            add(
                quota.amount < 1 ? .look : .ok, "quota",
                "control group \(shownText(quota.group)) grants its processes the time of \(significant(quota.amount)) cores",
                quota.amount < 1 ? "less than one core: allow the control group (container, batch job) more" : "")
        }
        do {
            let plan = try CorePlan(masks: host.masks, ranksInJob: world.size, configuration: configuration)
            add(.ok, "threads", "\n" + plan.summary)
        } catch {
            add(.bad, "threads", "\(error)")
        }
    }

    private mutating func addMemory(_ host: HostLayout) {
        let isEnough = host.memoryPerRank >= 2 << 30
        add(
            isEnough ? .ok : .look, "memory", host.memorySummary,
            isEnough
                ? ""
                : "ResNet-50 at 224 px wants 2 GiB and more: start fewer ranks on each host"
                    + (host.memoryGroup == nil ? "" : ", or allow the control group (container, batch job) more"))
    }

    /// Times sums of 16 MiB, the size of a gradient bucket.
    private mutating func addAllReduce(_ world: any Collective) throws {
        guard world.size > 1 else { return }
        let bucket = Tensor.zeros([4 << 20])
        try world.beginSum(bucket.floats).finish()
        let clock = ContinuousClock(), start = clock.now
        for _ in 0..<3 { try world.beginSum(bucket.floats).finish() }
        let seconds = (clock.now - start).inSeconds / 3
        let bandwidth = Double(bucket.count * 4) * 2 * Double(world.size - 1) / Double(world.size) / seconds / 1e9
        add(
            .ok, "all-reduce",
            "16 MiB in \(significant(seconds * 1e3)) ms, \(significant(bandwidth)) GB/s sent by each rank")
    }

    private mutating func addLimits() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        add(
            limit.rlim_cur >= 256 ? .ok : .look, "open files", "\(limit.rlim_cur) allowed",
            limit.rlim_cur >= 256 ? "" : "ulimit -n 1024")
        if let space = FileSystem.freeSpace(in: "/dev/shm") {
            let megabytes = space >> 20
            add(
                megabytes >= 64 ? .ok : .look, "/dev/shm", "\(megabytes) MiB free",
                megabytes >= 64
                    ? "" : "Open MPI passes messages of one host through it: enlarge it (docker --shm-size 1g)")
        }
    }

    /// A line for each finding: word, subject, finding; below it what to do.
    package var text: String {
        let lines = findings.flatMap { finding -> [String] in
            let head = finding.level.rawValue.padding(to: 6) + finding.subject.padding(to: 14)
            let body = finding.text.split(separator: "\n", omittingEmptySubsequences: true)
            let indent = String(repeating: " ", count: 20)
            return body.enumerated().map { ($0 == 0 ? head : indent) + $1 }
                + (finding.remedy.isEmpty ? [] : [indent + "→ " + finding.remedy])
        }
        let faults = findings.count { $0.level == .bad }
        let looks = findings.count { $0.level == .look }
        let end =
            faults > 0
            ? counted(faults, "fault")
            : looks > 0 ? "no fault, \(counted(looks, "thing")) to look at" : "nothing is wrong"
        return (lines + [end]).joined(separator: "\n")
    }
}
