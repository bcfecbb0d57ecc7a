import Glibc
import Synchronization

/// Where a run talks to people: whole lines, and on a terminal one living line below them that is redrawn in place.
public final class Console: Sendable {
    /// Whether a line can be redrawn in place.
    public let isTerminal: Bool
    private let columns: @Sendable () -> Int
    private let output: @Sendable (String) -> Void
    private let livingLine = Mutex("")

    /// - Parameters:
    ///   - columns: width of the terminal, asked before every drawing because windows are resized.
    ///   - output: writes text as it is, in one piece.
    public init(
        isTerminal: Bool, columns: @escaping @Sendable () -> Int = { 80 },
        output: @escaping @Sendable (String) -> Void
    ) {
        (self.isTerminal, self.columns, self.output) = (isTerminal, columns, output)
    }

    /// Standard error, a terminal where it ends in one and TERM is not "dumb".
    public static let standardError = Console(
        isTerminal: StandardErrorTerminal.descriptor != nil && environment("TERM") != "dumb",
        columns: {
            if let width = environment("COLUMNS").flatMap({ Int($0) }), width > 0 { return width }
            var size = winsize()
            let terminal = StandardErrorTerminal.descriptor ?? STDERR_FILENO
            let isKnown = ioctl(terminal, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
            return isKnown ? Int(size.ws_col) : 80
        },
        output: { text in
            // Nothing can be told to anyone if standard error itself is broken; the log file has the line.
            let bytes = Array(text.utf8)
            var done = 0
            while done < bytes.count {
                let count = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress! + done, bytes.count - done) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return }
                done += count
            }
        })

    /// Columns that a living line may fill: one less than the terminal has, so that the cursor stays on the line.
    public var usableColumns: Int { max(1, columns() - 1) }

    /// Prints a whole line (or several) above the living one.
    public func print(_ text: String) {
        livingLine.withLock { line in
            output((line.isEmpty ? "" : "\r\u{1b}[K") + text + "\n" + line)
        }
    }

    /// Redraws the living line, cut to the terminal's width; does nothing off a terminal.
    public func redraw(_ text: String) {
        guard isTerminal else { return }
        livingLine.withLock { line in
            line = String(text.prefix(usableColumns))
            output("\r\u{1b}[K" + line)
        }
    }

    /// Takes the living line away, so that the prompt or an error starts on an empty line.
    public func clear() {
        livingLine.withLock { line in
            if !line.isEmpty { output("\r\u{1b}[K") }
            line = ""
        }
    }

    private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
