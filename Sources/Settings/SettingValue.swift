package import Yams

/// A value of the configuration file: how it is read from a YAML node, and written so that it reads back equal.
package protocol SettingValue: Sendable, Equatable {
    /// What a user must write, as it follows "must be".
    static var expectation: String { get }
    /// Whether a value is the name of a file or folder, of use on the machine alone where it was written.
    static var isPath: Bool { get }
    /// What a user may write beside values in the setting's range; empty or " or null".
    static var alternative: String { get }
    /// Nil where the node is of another type.
    init?(yaml node: Node)
    var yaml: String { get }
    /// What the characters after `key=` on a command line stand for.
    static func node(ofArgument argument: String) throws -> Node
    /// What to do about a node that does not fit, where its type has more to say than the setting.
    static func remedy(for node: Node) -> String?
}

extension SettingValue {
    package static var isPath: Bool { false }
    package static var alternative: String { "" }
    package static func node(ofArgument argument: String) throws -> Node { try Node(yaml: argument) }
    package static func remedy(for node: Node) -> String? { nil }
}

extension Node {
    /// Reads YAML; no text at all is null.
    package init(yaml: String) throws { self = try Yams.compose(yaml: yaml) ?? Node("", Tag(.null), .plain) }

    /// Text as it stands, which is never a number, a truth value or null.
    package init(text: String) { self.init(text, .implicit, .doubleQuoted) }

    /// The text of an unquoted scalar: what may be a number, a truth value or null.
    package var plainText: String? {
        guard case .scalar(let scalar) = self, scalar.style == .plain || scalar.style == .any else { return nil }
        return scalar.string
    }

    /// The text of a scalar, quoted or not, that is not null.
    var text: String? {
        guard case .scalar(let scalar) = self, !isNull else { return nil }
        return scalar.string
    }

    package var isMergeKey: Bool { plainText == "<<" }

    package var isNull: Bool {
        guard let text = plainText else { return false }
        return text.isEmpty || text == "~" || text.lowercased() == "null"
    }
}

extension Int: SettingValue {
    package static var expectation: String { "a whole number" }

    package init?(yaml node: Node) {
        guard let text = node.plainText, let value = Int(text.replacing("_", with: "")) else { return nil }
        self = value
    }

    package var yaml: String { String(self) }
}

extension Double: SettingValue {
    package static var expectation: String { "a number" }

    package init?(yaml node: Node) {
        guard let text = node.plainText, let value = Double(text), value.isFinite,
            !text.lowercased().contains("x")
        else { return nil }
        self = value
    }

    /// With a point before the exponent, which YAML 1.1 readers need to see a number.
    package var yaml: String {
        description.contains(".") ? description : description.replacing("e", with: ".0e", maxReplacements: 1)
    }
}

extension Bool: SettingValue {
    package static var expectation: String { "true or false" }

    package init?(yaml node: Node) {
        guard let value = node.plainText.flatMap({ Bool($0.lowercased()) }) else { return nil }
        self = value
    }

    package var yaml: String { description }
}

extension Optional: SettingValue where Wrapped: SettingValue {
    package static var expectation: String { Wrapped.expectation }
    package static var isPath: Bool { Wrapped.isPath }
    package static var alternative: String { " or null" }

    package init?(yaml node: Node) {
        if node.isNull {
            self = .none
        } else if let value = Wrapped(yaml: node) {
            self = .some(value)
        } else {
            return nil
        }
    }

    package var yaml: String { self?.yaml ?? "null" }

    package static func node(ofArgument argument: String) throws -> Node {
        let plain = Node(argument, .implicit, .plain)
        return plain.isNull ? plain : try Wrapped.node(ofArgument: argument)
    }

    package static func remedy(for node: Node) -> String? { Wrapped.remedy(for: node) }
}

/// A count that the user gives or leaves to the program: `auto` or a whole number in YAML.
package enum AutomaticCount: Sendable, Equatable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    case auto
    case count(Int)

    package init(integerLiteral value: Int) { self = .count(value) }

    /// The number given, nil for `auto`.
    package var count: Int? { if case .count(let count) = self { count } else { nil } }

    package var description: String { count.map(String.init) ?? "auto" }
}

extension AutomaticCount: SettingValue {
    package static var expectation: String { "auto or a whole number" }

    package init?(yaml node: Node) {
        if node.plainText == "auto" {
            self = .auto
        } else if let count = Int(yaml: node) {
            self = .count(count)
        } else {
            return nil
        }
    }

    package var yaml: String { description }
}

/// The name of a task; which there are, the program knows.
package struct TaskName: SettingValue {
    package let name: String

    package init(_ name: String) { self.name = name }

    package static var expectation: String { "the name of a task" }

    package init?(yaml node: Node) {
        guard let text = node.text else { return nil }
        name = text
    }

    package var yaml: String { name }
}

/// A choice of names.
package protocol ChoiceValue: SettingValue, RawRepresentable where RawValue == String {
    /// What a configuration may say, in the order in which messages list it.
    static var choices: [Self] { get }
}

extension ChoiceValue where Self: CaseIterable {
    package static var choices: [Self] { Array(allCases) }
}

extension ChoiceValue {
    package static var expectation: String {
        let names = choices.map(\.rawValue)
        return names.count == 1 ? names[0] : names.dropLast().joined(separator: ", ") + " or " + names.last!
    }

    package init?(yaml node: Node) {
        guard let text = node.text, let value = Self.choices.first(where: { $0.rawValue == text }) else {
            return nil
        }
        self = value
    }

    package var yaml: String { rawValue }
}
