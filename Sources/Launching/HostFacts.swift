import Checkpointing
import Files
import Glibc
package import SystemPackage
import Threads
import Training

/// What a host is asked before a job starts there.
package struct HostQuestion: Sendable {
    /// nil where nobody wants to know.
    package var runDirectory: FilePath?
    package var mark: String?
    /// Where hosts keep checkpoints in memory.
    package var memory: FilePath?
    /// Folders and files of pictures.
    package var roots: [FilePath]

    package init(
        runDirectory: FilePath? = nil, mark: String? = nil, memory: FilePath? = nil, roots: [FilePath] = []
    ) {
        (self.runDirectory, self.mark, self.memory, self.roots) = (runDirectory, mark, memory, roots)
    }
}

/// What a host tells of itself: by `pixpro host-report`, which the launcher starts there, in lines `pixpro: key value`.
package struct HostFacts: Sendable, Equatable {
    /// The checksum of the program there.
    package var build = ""
    /// Sockets and logical processors that a process there may use.
    package var sockets = 1, cores = 1
    /// Bytes of memory that it may use.
    package var memory = 0
    /// Processes that its control group lost for lack of memory.
    package var memoryKills = 0
    /// Where Open MPI keeps its files, bytes free there, and why none can be written.
    package var temporary = "", temporarySpace = 0, temporaryProblem = ""
    /// Seconds since 1970.
    package var clock = 0.0
    /// What it sees of the run's directory: "" for as it should be.
    package var runProblem = ""
    package var newestStep = 0
    /// The newest step of which it has a part in its memory; 0 without one.
    package var memoryStep = 0
    /// Roots without pictures, each with the reason.
    package var rootProblems: [String] = []

    package init() {}

    private static let prefix = "pixpro: "

    package var lines: String {
        var lines = [
            "build \(build)", "sockets \(sockets)", "cores \(cores)", "memory \(memory)", "memoryKills \(memoryKills)",
            "temporary \(temporary)", "temporarySpace \(temporarySpace)", "temporaryProblem \(temporaryProblem)",
            "clock \(clock)", "runProblem \(runProblem)", "newestStep \(newestStep)",
            "memoryStep \(memoryStep)",
        ]
        lines += rootProblems.map { "rootProblem \($0)" }
        return lines.map { Self.prefix + $0 + "\n" }.joined() + Self.prefix + "end \n"
    }

    /// Reads what `lines` wrote, among whatever a login shell says; nil where it is not all there.
    package init?(lines text: String) {
        var isWhole = false
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix(Self.prefix) {
            let parts = line.dropFirst(Self.prefix.count).split(
                separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count == 2 ? String(parts[1]) : ""
            switch parts[0] {
            case "build": build = value
            case "sockets": sockets = Int(value) ?? 1
            case "cores": cores = Int(value) ?? 1
            case "memory": memory = Int(value) ?? 0
            case "memoryKills": memoryKills = Int(value) ?? 0
            case "temporary": temporary = value
            case "temporarySpace": temporarySpace = Int(value) ?? 0
            case "temporaryProblem": temporaryProblem = value
            case "clock": clock = Double(value) ?? 0
            case "runProblem": runProblem = value
            case "newestStep": newestStep = Int(value) ?? 0
            case "memoryStep": memoryStep = Int(value) ?? 0
            case "rootProblem": rootProblems.append(value)
            case "end": isWhole = true
            default: break
            }
        }
        guard isWhole, sockets >= 1, cores >= 1 else { return nil }
    }
}

// MARK: On the host

extension HostFacts {
    /// Of the host that this process is on.
    package static func ofThisHost(_ question: HostQuestion) throws -> HostFacts {
        var facts = HostFacts()
        facts.build = try CRC32C(of: InputFile(path: "/proc/self/exe")).text
        let limits = ControlGroupLimits.ofThisProcess(), mask = CoreMask.ofThisProcess(limits)
        facts.cores = mask.cores.count
        facts.sockets = sockets(of: mask.cores)
        facts.memory = min(PhysicalMemory.byteCount, limits.memory?.amount ?? .max)
        facts.memoryKills = memoryKills(in: limits.memory?.group)
        facts.lookAtTemporaryFolder()
        facts.clock = SystemClock().wall
        facts.rootProblems = question.roots.compactMap(problem(ofRoot:))
        if let directory = question.runDirectory {
            facts.look(at: directory, mark: question.mark)
            if let memory = question.memory, let run = RunEvent.run(in: RunDirectory(directory)) {
                facts.memoryStep = MemoryStore(folder: memory, identity: run.identity).newestStep(of: run.course)
            }
        }
        return facts
    }

    private static func sockets(of cores: [Int]) -> Int {
        let packages = cores.compactMap { core in
            // Machines that do not tell have one socket.
            try? WholeFile.text(of: FilePath("/sys/devices/system/cpu/cpu\(core)/topology/physical_package_id"))
        }
        return max(1, Set(packages).count)
    }

    private static func memoryKills(in group: String?) -> Int {
        // A group without the file counts no kills.
        guard let group, let text = try? WholeFile.text(of: FilePath("\(group)/memory.events")) else { return 0 }
        let line = text.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
        return line.flatMap { Int($0.dropFirst("oom_kill ".count)) } ?? 0
    }

    private mutating func lookAtTemporaryFolder() {
        let folder = FilePath(getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")
        temporary = folder.shown
        // Hosts may share the folder, and numbers of processes too.
        let file = folder.appending("pixpro-\(String(UInt64.random(in: .min ... .max), radix: 36))")
        do {
            try WholeFile.write(to: file, isDurable: false) { try $0.append(Array("room?".utf8)) }
            try FileSystem.remove(file)
        } catch {
            temporaryProblem = "\(error)"
        }
        temporarySpace = FileSystem.freeSpace(in: folder) ?? temporarySpace
    }

    /// A folder in which there is nothing is most often one on which nothing is mounted.
    static func problem(ofRoot path: FilePath) -> String? {
        do {
            switch try FileKind(of: path) {
            case .directory:
                guard try FileSystem.isEmpty(path) else { return nil }
                return "\(path.shown): the folder is empty; is its file system mounted here?"
            case .nothing: return "\(path.shown): there is no such folder here"
            default: return nil
            }
        } catch {
            return "\(error)"
        }
    }

    /// Seconds for which a shared file system may show a new directory late.
    private static let visibility = 4.0

    private mutating func look(at directory: FilePath, mark: String?) {
        let end = SystemClock().monotonic + Self.visibility
        var sight = RunSight(directory, mark: mark)
        while sight.place != .there, SystemClock().monotonic < end {
            usleep(200_000)
            sight = RunSight(directory, mark: mark)
        }
        newestStep = sight.newestStep
        switch sight.place {
        case .there: runProblem = ""
        case .new, .gone: runProblem = "there is no \(directory.shown) here: is its file system mounted?"
        case .replaced:
            runProblem =
                "\(directory.shown) here is another directory than where the launcher runs: it must be on a file "
                + "system that all hosts share"
        case .failing(let reason): runProblem = reason
        }
    }
}
