import Files
import Glibc
package import SystemPackage
package import Yams

/// All settings that hold text are paths.
///
/// `~` and `~/…` begin at the home folder, as in a shell. Quotes in YAML do not change that; the tag `!literal` does, which
/// the writer puts before a path whose first folder is called `~`.
extension FilePath: SettingValue {
    package static var expectation: String { "text" }
    package static var isPath: Bool { true }

    package init?(yaml node: Node) {
        guard case .scalar(let scalar) = node, !node.isNull, !scalar.string.utf8.contains(0) else { return nil }
        guard let path = scalar.tag == Self.literal ? scalar.string : HomeFolder.expand(scalar.string) else {
            return nil
        }
        self.init(text: path)
    }

    /// Plain where no reader of YAML can take it for anything else, quoted otherwise.
    package var yaml: String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+")
        // Words that other YAML readers take for null or a truth value.
        let words: Set = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
        let path = text
        if path.allSatisfy(plain.contains), let first = path.first, first.isLetter || first == "/",
            !words.contains(path.lowercased())
        {
            return path
        }
        // Foundation, by which Yams makes texts, drops a byte order mark at their start.
        let whole = path.unicodeScalars.first == "\u{feff}" ? "\u{feff}" + path : path
        return (path.hasPrefix("~") ? "\(Self.literal) " : "") + whole.quoted
    }

    static var literal: Tag { "!literal" }

    /// Taken as it is, unless it is one quoted scalar of YAML.
    package static func node(ofArgument argument: String) throws -> Node {
        argument.isQuotedScalar ? try Node(yaml: argument) : Node(text: argument)
    }

    package static func remedy(for node: Node) -> String? {
        guard case .scalar(let scalar) = node, !node.isNull else { return nil }
        if scalar.string.utf8.contains(0) { return "no path has a character of value 0" }
        guard HomeFolder.expand(scalar.string) == nil else { return nil }
        return "only ~/ is understood, for the home folder that HOME names: write another folder's path in full, or "
            + "./\(scalar.string) if its name begins with ~"
    }
}

extension Array: SettingValue where Element == FilePath {
    package static var expectation: String { "text or a list of texts" }
    package static var isPath: Bool { true }

    package init?(yaml node: Node) {
        if let single = FilePath(yaml: node) {
            self = [single]
        } else if case .sequence(let sequence) = node {
            let elements = sequence.compactMap(FilePath.init(yaml:))
            guard elements.count == sequence.count else { return nil }
            self = elements
        } else {
            return nil
        }
    }

    package var yaml: String { "[" + map(\.yaml).joined(separator: ", ") + "]" }

    /// A list of YAML in brackets, or one path as it is.
    package static func node(ofArgument argument: String) throws -> Node {
        argument.hasPrefix("[") && argument.hasSuffix("]")
            ? try Node(yaml: argument) : try FilePath.node(ofArgument: argument)
    }

    package static func remedy(for node: Node) -> String? {
        if case .sequence(let sequence) = node { return sequence.lazy.compactMap(FilePath.remedy(for:)).first }
        return FilePath.remedy(for: node)
    }
}

extension ValueRange where Value == FilePath {
    package static var notEmpty: Self { Self(text: "that is not empty") { !$0.isEmpty } }
}

extension ValueRange where Value == [FilePath] {
    package static var notEmpty: Self {
        Self(text: "with at least one entry, none empty") { !$0.isEmpty && $0.allSatisfy { !$0.isEmpty } }
    }
}

/// What `~` at the start of a path stands for.
enum HomeFolder {
    /// The path with HOME for a leading `~`; nil for another user's folder, and where HOME is not set.
    static func expand(_ path: String) -> String? {
        guard path.hasPrefix("~") else { return path }
        guard path == "~" || path.hasPrefix("~/"), let home = getenv("HOME").map({ String(cString: $0) }) else {
            return nil
        }
        guard home.hasPrefix("/") else { return nil }
        let expanded = (home.hasSuffix("/") ? String(home.dropLast()) : home) + path.dropFirst()
        return expanded.isEmpty ? "/" : expanded
    }
}

extension String {
    /// A double-quoted scalar of YAML in one line, with every character escaped that is not plainly visible.
    package var quoted: String {
        do {
            let line = try Yams.serialize(node: Node(text: self), width: -1, allowUnicode: true)
            return String(line.dropLast())  // the line's end
        } catch {
            preconditionFailure("text that YAML cannot hold: \(error)")
        }
    }

    /// Whether the text is one quoted scalar of YAML from its first to its last character.
    fileprivate var isQuotedScalar: Bool {
        let bytes = Array(utf8)
        let (single, double) = (UInt8(ascii: "'"), UInt8(ascii: "\""))
        guard bytes.count >= 2, let quote = bytes.first, quote == bytes.last, quote == single || quote == double else {
            return false
        }
        var place = 1
        while place < bytes.count - 1 {
            if quote == double, bytes[place] == UInt8(ascii: "\\") {
                place += 2  // what follows a backslash does not end the text
            } else if bytes[place] == quote {
                // Two single quotes stand for one.
                guard quote == single, place + 1 < bytes.count - 1, bytes[place + 1] == single else { return false }
                place += 2
            } else {
                place += 1
            }
        }
        return place == bytes.count - 1
    }
}
