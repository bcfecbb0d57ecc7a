import Glibc

/// Says which input was being read when the program dies.
enum CrashReport {
    /// Number of the parser and of the input.
    nonisolated(unsafe) static var current = (0, 0)

    static func install() {
        for signal in [SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGALRM] {
            Glibc.signal(signal) { number in
                let text = number == SIGALRM ? "took too long" : "died of signal \(number)"
                let line = "parser-fuzz: parser \(CrashReport.current.0), input \(CrashReport.current.1) \(text)\n"
                _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
                _exit(1)
            }
        }
    }
}
