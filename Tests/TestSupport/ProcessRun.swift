import Foundation
import Synchronization

/// How a child process ended and what it wrote.
package struct ProcessResult: Sendable, CustomStringConvertible {
    /// The exit status, or 128 + signal as a shell reports it.
    package let status: Int32
    package let output: String
    package let errorOutput: String
    package let timedOut: Bool
    package let seconds: Double

    package var description: String {
        "status \(status)\(timedOut ? " (time limit)" : "") after \(seconds) s\n--- output\n\(output)\n--- error output\n\(errorOutput)"
    }
}

/// Runs a program to its end, or to the time limit, when it is terminated and then killed.
///
/// - Parameter environment: added to this process's own.
package func runProcess(
    _ executable: String, _ arguments: [String], environment: [String: String] = [:],
    directory: String? = nil, timeLimit: Double = 60
) throws -> ProcessResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
    let output = Pipe()
    let errorOutput = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errorOutput
    let ended = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in ended.signal() }
    let start = Date()
    try withoutBlockedSignals { try process.run() }
    let outputText = Collected(output.fileHandleForReading)
    let errorText = Collected(errorOutput.fileHandleForReading)
    var timedOut = false
    if ended.wait(timeout: .now() + timeLimit) == .timedOut {
        timedOut = true
        process.terminate()
        if ended.wait(timeout: .now() + 5) == .timedOut {
            kill(process.processIdentifier, SIGKILL)
            ended.wait()
        }
    }
    let status = process.terminationStatus + (process.terminationReason == .uncaughtSignal ? 128 : 0)
    return ProcessResult(
        status: status, output: outputText.wait(), errorOutput: errorText.wait(), timedOut: timedOut,
        seconds: Date().timeIntervalSince(start))
}

/// Threads of the test runner block signals, which a child would inherit: it could not be asked to stop.
private func withoutBlockedSignals(_ body: () throws -> Void) rethrows {
    var all = sigset_t(), before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_UNBLOCK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try body()
}

/// Reads a pipe to its end on a thread of its own, so that a talkative child never blocks.
private final class Collected: Sendable {
    private let data = Mutex(Data())
    private let done = DispatchSemaphore(value: 0)

    init(_ handle: FileHandle) {
        Thread.detachNewThread { [self] in
            let all = handle.readDataToEndOfFile()
            data.withLock { $0 = all }
            done.signal()
        }
    }

    /// A grandchild that outlives its parent keeps the pipe open; what it says is then given up after five seconds.
    func wait() -> String {
        guard done.wait(timeout: .now() + 5) == .success else { return "(the pipe was never closed)" }
        return data.withLock { String(decoding: $0, as: UTF8.self) }
    }
}
