import Files
import Subprocess
import SystemPackage

/// Programs that are run to their end for what they say.
enum Command {
    struct Answer: Sendable {
        /// The exit status, 128 and the signal, or nil where the program could not be started or took too long.
        let status: Int32?
        let output: String
        let errorOutput: String

        /// The last line of what was said, for people.
        var lastWords: String {
            let lines = (errorOutput.isEmpty ? output : errorOutput).split(whereSeparator: \.isNewline)
            return lines.last.map { shownText(String($0)) } ?? status.map { "status \($0)" } ?? "nothing was said"
        }
    }

    /// Runs a program; what takes longer is killed with all that it started.
    ///
    /// - Parameter outputLimit: bytes that a program may say.
    static func run(_ arguments: [String], seconds: Double, outputLimit: Int = 1 << 20) async -> Answer {
        await withTaskGroup(of: Answer?.self) { group in
            group.addTask { await run(arguments, outputLimit) }
            group.addTask {
                try? await Task.sleep(for: .seconds(seconds))
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            await group.waitForAll()
            return first ?? Answer(status: nil, output: "", errorOutput: "no answer within \(Int(seconds)) s")
        }
    }

    private static func run(_ arguments: [String], _ outputLimit: Int) async -> Answer {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .zero)]
        do {
            let result = try await Subprocess.run(
                executable(arguments[0]), arguments: words(arguments.dropFirst()), platformOptions: options,
                output: .string(limit: outputLimit), error: .string(limit: outputLimit))
            return Answer(
                status: status(result.terminationStatus), output: result.standardOutput,
                errorOutput: result.standardError)
        } catch {
            return Answer(status: nil, output: "", errorOutput: "cannot run \(arguments[0]): \(error)")
        }
    }

    /// A program by its path, or by its name where PATH finds it.
    static func executable(_ name: String) -> Executable {
        name.contains("/") ? .path(FilePath(text: name)) : .name(name)
    }

    /// Arguments with the bytes for which their texts stand.
    static func words(_ texts: some Sequence<String>) -> Arguments {
        Arguments(texts.map { FilePath.bytes(ofText: $0) + [0] })
    }

    /// As a shell reports it.
    static func status(_ status: TerminationStatus) -> Int32 {
        switch status {
        case .exited(let code): Int32(code)
        case .signaled(let signal): 128 + Int32(signal)
        }
    }

    /// A text as one word of a POSIX shell.
    static func quoted(_ text: String) -> String {
        text.wholeMatch(of: /[-A-Za-z0-9_.\/:=,@%+]+/) != nil ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
