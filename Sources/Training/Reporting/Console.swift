import Glibc
import MessagePassing
import Synchronization

/// Where a run talks to people: whole lines, and on a terminal one living line below them that is redrawn in place.
package final class Console: Sendable {
    /// Whether a line can be redrawn in place.
    package let isTerminal: Bool
    private let columns: @Sendable () -> Int
    private let output: @Sendable (String) -> Bool
    private let state = Mutex(State())

    private struct State {
        var livingLine = ""
        /// Lines that the output did not take.
        var dropped = 0
    }

    /// - Parameters:
    ///   - columns: width of the terminal, asked before every drawing because windows are resized.
    ///   - output: takes text as it is, in one piece; false where it cannot, because nobody reads.
    package init(
        isTerminal: Bool, columns: @escaping @Sendable () -> Int = { 80 },
        output: @escaping @Sendable (String) -> Bool
    ) {
        (self.isTerminal, self.columns, self.output) = (isTerminal, columns, output)
    }

    /// Standard error, a terminal where it ends in one and TERM is not "dumb".
    package static let standardError = Console(
        isTerminal: StandardErrorTerminal.descriptor != nil && environment("TERM") != "dumb",
        columns: {
            if let width = environment("COLUMNS").flatMap({ Int($0) }), width > 0 { return width }
            var size = winsize()
            let terminal = StandardErrorTerminal.descriptor ?? STDERR_FILENO
            let isKnown = ioctl(terminal, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
            return isKnown ? Int(size.ws_col) : 80
        },
        output: StandardError.write)

    /// Columns that a living line may fill: one less than the terminal has, so that the cursor stays on the line.
    package var usableColumns: Int { max(1, columns() - 1) }

    /// Prints a whole line (or several) above the living one. What is dropped is counted, and said once lines are taken
    /// again.
    package func print(_ text: String) {
        state.withLock { state in
            let notice =
                state.dropped == 0
                ? ""
                : "(\(state.dropped) messages are missing here: nothing read them in time; a run's log.txt has all)\n"
            let isTaken = output(
                (state.livingLine.isEmpty ? "" : "\r\u{1b}[K") + notice + text + "\n" + state.livingLine)
            state.dropped = isTaken ? 0 : state.dropped + 1
        }
    }

    /// Redraws the living line, cut to the terminal's width; does nothing off a terminal.
    package func redraw(_ text: String) {
        guard isTerminal else { return }
        state.withLock { state in
            state.livingLine = String(text.prefix(usableColumns))
            // One that is dropped is soon followed by another.
            _ = output("\r\u{1b}[K" + state.livingLine)
        }
    }

    /// Takes the living line away, so that the prompt or an error starts on an empty line.
    package func clear() {
        state.withLock { state in
            if !state.livingLine.isEmpty { _ = output("\r\u{1b}[K") }
            state.livingLine = ""
        }
    }

    private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
