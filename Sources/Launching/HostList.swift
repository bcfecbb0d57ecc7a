import Files

/// A host of the list, with the ranks that it takes.
package struct ListedHost: Sendable, Hashable {
    package let name: String
    /// Ranks on it; nil for one a socket.
    package let slots: Int?

    package init(name: String, slots: Int? = nil) { (self.name, self.slots) = (name, slots) }
}

/// Host files as Open MPI, PBS and people write them.
package enum HostList {
    /// More ranks on one host are a slip of the pen.
    static let mostSlots = 4096

    /// Reads lines `node1`, `node1 slots=2` or `node1:2`.
    ///
    /// Comments begin with `#`, blank lines and carriage returns are nothing, a host that is named again has the slots
    /// of both lines (one for a line without).
    ///
    /// - Parameter source: the file's name in errors.
    /// - Throws: `LaunchError` that names the line, with the status of wrong options.
    package static func parse(_ text: String, source: String) throws -> [ListedHost] {
        var order: [String] = [], slots: [String: [Int?]] = [:]
        let lines = text.drop { $0 == "\u{FEFF}" }.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (number, line) in lines.enumerated() {
            let content = line.prefix { $0 != "#" }
            do {
                guard let host = try host(content) else { continue }
                if slots[host.name] == nil { order.append(host.name) }
                slots[host.name, default: []].append(host.slots)
            } catch let error as LineError {
                throw LaunchError(.usage, "\(source), line \(number + 1): \(error.reason)")
            }
        }
        return order.map { name in
            let all = slots[name]!
            return ListedHost(name: name, slots: all.count == 1 ? all[0] : all.reduce(0) { $0 + ($1 ?? 1) })
        }
    }

    private struct LineError: Error { let reason: String }

    private static func host(_ line: Substring) throws -> ListedHost? {
        // "slots = 2" is as good as "slots=2".
        let words = String(line).replacing(/\s*=\s*/, with: "=").split(whereSeparator: \.isWhitespace)
        guard let first = words.first else { return nil }
        var name = String(first), slots: Int?
        // MPICH's way: node1:2. More colons make an address.
        if let colon = first.firstIndex(of: ":"), first.count(where: { $0 == ":" }) == 1 {
            name = String(first[..<colon])
            slots = try count(first[first.index(after: colon)...], "slots")
        }
        guard name.wholeMatch(of: /[A-Za-z0-9_][-A-Za-z0-9_.:@%]*/) != nil else {
            throw LineError(reason: "'\(shownText(name))' is not the name of a host")
        }
        for word in words.dropFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            switch parts[0] {
            case "slots" where parts.count == 2: slots = try count(parts[1], "slots")
            // Limits for schedulers that give more than was asked: ranks are given by slots here.
            case "max_slots" where parts.count == 2, "max-slots" where parts.count == 2:
                _ = try count(parts[1], "slots")
            default:
                throw LineError(
                    reason: "'\(shownText(String(word)))' is not understood; a line is a host's name and, unless it "
                        + "takes one rank a socket, slots=N")
            }
        }
        return ListedHost(name: name, slots: slots)
    }

    /// Decimal digits, whatever zeros they begin with.
    private static func count(_ text: Substring, _ what: String) throws -> Int {
        guard text.wholeMatch(of: /[0-9]+/) != nil, let number = Int(text), (1...mostSlots).contains(number) else {
            throw LineError(
                reason: "\(what)=\(shownText(String(text))): \(what) must be a whole number from 1 to \(mostSlots)")
        }
        return number
    }
}

/// What ends the launcher before or between jobs.
package struct LaunchError: Error, CustomStringConvertible, Sendable {
    /// The exit statuses of the launcher's own.
    package enum Status: Int32, Sendable {
        /// Wrong options or a wrong host file.
        case usage = 64
        /// Too few hosts, or no progress.
        case unavailable = 69
        /// An error that another start cannot cure.
        case configuration = 78
    }

    package let status: Status
    package let description: String

    init(_ status: Status, _ description: String) { (self.status, self.description) = (status, description) }
}
