import Files
import Glibc
import MessagePassing
package import SystemPackage

/// Asks the hosts of a list, all at once, whether they can take part.
package struct PreflightCommand: Sendable {
    /// How a command reaches a host.
    package enum Way: Sendable {
        /// `agent host command`, as ssh.
        case agent(String)
        case slurm
    }

    static let noDaemon = "pixpro: no daemon", noProgram = "pixpro: no program"
    /// How many hosts are asked at once.
    static let atOnce = 64
    /// Seconds between two looks at whether hosts that fell silent are still waited for.
    private static let tick = 0.02

    let way: Way
    let program: FilePath
    /// Has a daemon on every host.
    let starter: JobStarter
    /// The checksum of the program here.
    let build: String
    let thisHost: String
    /// Between looks at hosts that a running job is without.
    let secondsBetweenLooks: Double

    package init(
        way: Way, program: FilePath, starter: JobStarter, build: String, thisHost: String,
        secondsBetweenLooks: Double = 60
    ) {
        (self.way, self.program, self.starter, self.build) = (way, program, starter, build)
        (self.thisHost, self.secondsBetweenLooks) = (thisHost, secondsBetweenLooks)
    }

    /// What mpirun reaches hosts by; nil where the scheduler does.
    var agent: String? { if case .agent(let agent) = way { agent } else { nil } }

    /// Tells of hosts that could take part again, once each, until the task is cancelled.
    package func sayWhoReturns(
        _ missing: [Preflight.Finding], _ question: HostQuestion, say: @Sendable (String) -> Void
    ) async {
        var hosts = missing.map(\.host)
        do {
            while !hosts.isEmpty {
                try await Task.sleep(for: .seconds(secondsBetweenLooks))
                let back = await ask(hosts, question, newestStep: 0).ready.map(\.host)
                try Task.checkCancellation()
                for host in back {
                    say(
                        "host \(host.name) is back; it takes part from the next start on (kill -USR2 \(getpid()) has the "
                            + "run save and start anew at once)")
                }
                hosts.removeAll(where: back.contains)
            }
        } catch {
            // Cancelled: the job is over.
        }
    }

    /// Asks hosts, and waits for each as long as `patience` says.
    ///
    /// - Parameters:
    ///   - newestStep: of the checkpoints that the launcher sees.
    ///   - isNeeded: whether anybody waits for the answers yet.
    package func ask(
        _ hosts: [ListedHost], _ question: HostQuestion, newestStep: Int,
        patience: AnswerPatience = AnswerPatience(isUrgent: false),
        isNeeded: @escaping @Sendable () -> Bool = { true }
    ) async -> Preflight {
        let begin = ContinuousClock.now
        @Sendable func elapsed() -> Double { (ContinuousClock.now - begin).inSeconds }
        let down = if case .slurm = way { await Self.downInSlurm(hosts) } else { [String: String]?.some([:]) }
        let all = Array(hosts.enumerated())
        func isLost(_ host: ListedHost) -> Bool { patience.isLost(host.name) }
        let lost = all.filter { isLost($1) }, others = all.filter { !isLost($1) }
        let found = await withTaskGroup(of: Part.self) { group in
            group.addTask { .others(await findings(others, question, newestStep, patience, down)) }
            group.addTask { .lost(await findings(lost, question, newestStep, patience, down)) }
            var found: [Numbered] = []
            while let part = await group.next() {
                switch part {
                case .others(let findings):
                    found += findings
                    let took = others.isEmpty ? nil : elapsed()
                    group.addTask {
                        while !Task.isCancelled,
                            !patience.isOver(elapsed: elapsed(), others: took, isNeeded: isNeeded())
                        {
                            // Cancelled: all have answered.
                            try? await Task.sleep(for: .seconds(Self.tick))
                        }
                        return .waitingIsOver
                    }
                case .lost(let findings): found += findings
                case .waitingIsOver: group.cancelAll()
                }
                if found.count == hosts.count { group.cancelAll() }
            }
            return found
        }
        return Preflight(found.sorted { $0.number < $1.number }.map(\.finding))
    }

    private typealias Numbered = (number: Int, finding: Preflight.Finding)

    private enum Part: Sendable {
        case others([Numbered])
        case lost([Numbered])
        case waitingIsOver
    }

    /// What is found on hosts, which come with their numbers. Where the task is cancelled those that have not answered yet do
    /// not.
    private func findings(
        _ hosts: [(offset: Int, element: ListedHost)], _ question: HostQuestion, _ newestStep: Int,
        _ patience: AnswerPatience, _ down: [String: String]?
    ) async -> [Numbered] {
        await withTaskGroup(of: [Numbered].self) { group in
            for first in 0..<min(Self.atOnce, hosts.count) {
                group.addTask {
                    var done: [Numbered] = []
                    for place in stride(from: first, to: hosts.count, by: Self.atOnce) {
                        let (number, host) = hosts[place]
                        let finding =
                            if let state = down?[host.name] {
                                Preflight.Finding(host: host, facts: nil, lacks: [.answer("Slurm says \(state)")])
                            } else {
                                await ask(
                                    host, question, newestStep: newestStep, patience.seconds(host.name),
                                    isVouchedFor: down != nil)
                            }
                        done.append((number, finding))
                    }
                    return done
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func ask(
        _ host: ListedHost, _ question: HostQuestion, newestStep: Int, _ patience: Double, isVouchedFor: Bool
    ) async -> Preflight.Finding {
        let command = shellCommand(question)
        let isHere = host.name == "localhost" || host.name == thisHost
        let words: [String] =
            if isHere {
                ["sh", "-c", command]
            } else if case .agent(let agent) = way {
                [agent, host.name, command]
            } else {
                ["srun", "--overlap", "--nodes=1", "--ntasks=1", "--nodelist=\(host.name)", "sh", "-c", command]
            }
        let answer = await Command.run(words, seconds: patience)
        let isWhole = HostFacts(lines: answer.output) != nil
        if Task.isCancelled, !isWhole {
            let reason = "it fell silent while the job ran, and the others have answered"
            return Preflight.Finding(host: host, facts: nil, lacks: [.answer(reason)])
        }
        // 127: the program was started, and lacks a library.
        if case .slurm = way, !isHere, !isWhole, answer.status != 127, !answer.output.contains("pixpro: ") {
            guard isVouchedFor else {
                let silence = "Slurm does not tell which nodes are up: \(answer.lastWords)"
                return Preflight.Finding(host: host, facts: nil, lacks: [.answer(silence)])
            }
            // Slurm vouches for its nodes; an old one has no steps beside others.
            return Preflight.Finding(host: host, facts: nil, lacks: [])
        }
        // A way that failed leaves 255 (ssh), or did not come to an end.
        let isSilent = answer.status == nil || answer.status == 255 && !answer.output.contains("pixpro: ")
        return Preflight.Finding(
            host: host, text: answer.output, silence: isSilent ? answer.lastWords : nil, lastWords: answer.lastWords,
            program: program.shown, build: build, newestStep: newestStep)
    }

    /// One line for a POSIX shell on the host.
    func shellCommand(_ question: HostQuestion) -> String {
        var words = [program.text, "host-report"]
        if let directory = question.runDirectory { words += ["--run-directory", directory.text] }
        if let mark = question.mark { words += ["--mark", mark] }
        if let memory = question.memory { words += ["--memory", memory.text] }
        for root in question.roots { words += ["--root", root.text] }
        let report = words.map(Command.quoted).joined(separator: " ")
        let libraries = Environment.value("LD_LIBRARY_PATH").map {
            "LD_LIBRARY_PATH=\(Command.quoted($0)); export LD_LIBRARY_PATH; "
        }
        return (libraries ?? "") + "command -v \(starter.daemon) >/dev/null 2>&1 || echo '\(Self.noDaemon)'; "
            + "if [ -x \(Command.quoted(program.text)) ]; then \(report); else echo '\(Self.noProgram)'; fi"
    }

    /// Slurm knows which of its nodes are down; nil where its controller does not answer.
    private static func downInSlurm(_ hosts: [ListedHost]) async -> [String: String]? {
        let names = hosts.map(\.name).joined(separator: ",")
        let answer = await Command.run(
            ["sh", "-c", "exec sinfo --noheader --Node --nodes \"$0\" --format '%N %T'", names],
            seconds: AnswerPatience.usual)
        // Where there is no sinfo (127), as in a container, nothing speaks against them.
        guard answer.status == 0 || answer.status == 127 else { return nil }
        var down: [String: String] = [:]
        for line in answer.output.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2 else { continue }
            let state = String(words[1])
            let isDown = ["down", "fail", "not_resp", "*"].contains { state.contains($0) }
            if isDown { down[String(words[0])] = state }
        }
        return down
    }
}
