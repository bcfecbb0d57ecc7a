/// What keeps a host out of a job.
package enum Lack: Sendable, Hashable {
    case answer(String)
    case daemon
    case program(String)
    /// The program there does not start.
    case start(String)
    case build(String, own: String)
    case runDirectory(String)
    case pictures(String)
    case temporaryFolder(String)

    /// What follows the host's name.
    package var description: String {
        switch self {
        case .answer(let reason): "does not answer: \(reason)"
        case .daemon:
            "has no Open MPI as here: its shell for commands does not find mpirun's daemon (install it, or put it on the "
                + "PATH of shells that are not logged in)"
        case .program(let path): "has no program \(path): is its file system mounted there?"
        case .start(let reason): "cannot start the program: \(reason)"
        case .build(let build, let own): "has another build of the program (\(build), here it is \(own))"
        case .runDirectory(let reason): "does not see the run's directory: \(reason)"
        case .pictures(let reason): "does not see the pictures: \(reason)"
        case .temporaryFolder(let reason): "has no room for Open MPI's files: \(reason)"
        }
    }

    /// Which piece is missing, whatever is said of it: the same on two hosts is one cause.
    var piece: String {
        switch self {
        case .answer: "answer"
        case .daemon: "daemon"
        case .program: "program"
        case .start: "start"
        case .build: "build"
        case .runDirectory: "run directory"
        case .pictures: "pictures"
        case .temporaryFolder: "temporary folder"
        }
    }
}

/// What was found when the hosts of the list were asked.
package struct Preflight: Sendable {
    package struct Finding: Sendable {
        package let host: ListedHost
        /// nil where it did not tell, and of a host whose scheduler vouches for it.
        package let facts: HostFacts?
        /// Empty for a host that can take part.
        package let lacks: [Lack]

        package init(host: ListedHost, facts: HostFacts?, lacks: [Lack]) {
            (self.host, self.facts, self.lacks) = (host, facts, lacks)
        }
    }

    package let findings: [Finding]

    package init(_ findings: [Finding]) { self.findings = findings }

    package var ready: [Finding] { findings.filter(\.lacks.isEmpty) }
    package var missing: [Finding] { findings.filter { !$0.lacks.isEmpty } }

    /// The newest step of which any host has a part in its memory; 0 without one.
    package var memoryStep: Int { findings.compactMap { $0.facts?.memoryStep }.max() ?? 0 }

    /// A piece that every host of the list lacks, though all of them answer: nothing that a host alone has lost.
    package var lackOfAll: Lack? {
        findings.first?.lacks.first { lack in
            lack.piece != "answer" && findings.allSatisfy { $0.lacks.contains { $0.piece == lack.piece } }
        }
    }

    /// One line for each host that is left out.
    package var reasons: [String] {
        missing.map { "host \($0.host.name) " + $0.lacks.map(\.description).joined(separator: "; it ") }
    }

    /// Hosts whose control group has lost processes for lack of memory since an earlier look.
    package func memoryNotes(since earlier: Preflight) -> [String] {
        let before = Dictionary(
            earlier.findings.compactMap { finding in finding.facts.map { (finding.host.name, $0.memoryKills) } },
            uniquingKeysWith: max)
        return findings.compactMap { finding in
            guard let facts = finding.facts, facts.memoryKills > before[finding.host.name] ?? .max else { return nil }
            return
                "host \(finding.host.name) was out of memory: a process was killed at the limit of \(facts.memory >> 20) "
                + "MiB of its control group; lower batch.microBatch, data.imageSize or data.workers, start fewer ranks on "
                + "each host, or raise the limit"
        }
    }

    /// Clocks far from the launcher's: nothing depends on them, but logs mislead.
    ///
    /// - Parameter tolerance: seconds, beyond those that the answers took.
    package func clockNotes(now: Double, tolerance: Double = 30) -> [String] {
        ready.compactMap { finding in
            guard let facts = finding.facts, abs(facts.clock - now) > tolerance else { return nil }
            let seconds = Int(abs(facts.clock - now).rounded())
            return "the clock of host \(finding.host.name) is \(seconds) s \(facts.clock > now ? "ahead" : "behind")"
        }
    }
}

extension Preflight.Finding {
    /// What the host has, for people: "node1: 2 sockets, 56 cores, 251 GiB"; nil where it did not tell.
    package var equipment: String? {
        facts.map {
            "\(host.name): \($0.sockets) socket\($0.sockets == 1 ? "" : "s"), \($0.cores) core\($0.cores == 1 ? "" : "s"), "
                + "\($0.memory >> 30) GiB"
        }
    }

    /// Bytes without which Open MPI cannot keep its files.
    static let leastTemporarySpace = 16 << 20

    /// Judges what a host has told.
    ///
    /// - Parameters:
    ///   - text: what the shell there and the program wrote.
    ///   - silence: why nothing came; nil where the command there ended.
    ///   - build: the program's here.
    ///   - newestStep: of the checkpoints that the launcher sees.
    package init(
        host: ListedHost, text: String, silence: String?, lastWords: String, program: String, build: String,
        newestStep: Int
    ) {
        var lacks: [Lack] = []
        let facts = HostFacts(lines: text)
        if let silence {
            self.init(host: host, facts: nil, lacks: [.answer(silence)])
            return
        }
        if text.contains(PreflightCommand.noDaemon) { lacks.append(.daemon) }
        if text.contains(PreflightCommand.noProgram) {
            lacks.append(.program(program))
        } else if let facts {
            if facts.build != build { lacks.append(.build(facts.build, own: build)) }
            if !facts.runProblem.isEmpty {
                lacks.append(.runDirectory(facts.runProblem))
            } else if facts.newestStep < newestStep {
                lacks.append(
                    .runDirectory("its newest checkpoint there is step \(facts.newestStep), here it is \(newestStep)"))
            }
            lacks += facts.rootProblems.map(Lack.pictures)
            if !facts.temporaryProblem.isEmpty {
                lacks.append(.temporaryFolder("\(facts.temporaryProblem); free some, or set TMPDIR"))
            } else if facts.temporarySpace < Self.leastTemporarySpace {
                lacks.append(
                    .temporaryFolder(
                        "\(facts.temporarySpace >> 20) MiB are free in \(facts.temporary); free some, or set TMPDIR"))
            }
        } else {
            lacks.append(.start(lastWords))
        }
        self.init(host: host, facts: facts, lacks: lacks)
    }
}
