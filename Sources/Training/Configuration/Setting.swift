import Yams

/// What a changed value means for a run that is resumed.
public enum ResumeRule: Sendable {
    /// The saved state would not fit or would mean something else: resuming is refused.
    case mustMatch
    /// The saved state fits, and training goes on differently than it would have: worth a warning.
    case changesTraining
    /// Only where and how fast the run works.
    case free
}

/// One key of the configuration: everything that reading, writing, error messages and the reference need to know.
struct Setting: Sendable {
    let path: String
    /// One sentence for the reference and the resolved file.
    let summary: String
    /// What the value must be: "a whole number >= 32".
    let expectation: String
    let onResume: ResumeRule
    /// Names that other programs use for it, to suggest this key for.
    let synonyms: [String]
    /// Has no default: must be given where its group is.
    let isRequired: Bool
    /// Stores the node's value; false where it does not fit `expectation`.
    let read: @Sendable (Node, inout RunConfiguration) -> Bool
    /// What the characters after `key=` on a command line stand for.
    let node: @Sendable (String) throws -> Node
    /// What to do about a node that `read` refused, where that is more than the setting's range and summary.
    let remedy: @Sendable (Node) -> String?
    /// The value as YAML. The optional group that holds the key must be there.
    let write: @Sendable (RunConfiguration) -> String

    init<Value: SettingValue>(
        _ path: String, _ keyPath: any WritableKeyPath<RunConfiguration, Value> & Sendable,
        in range: ValueRange<Value> = .any, onResume: ResumeRule = .free, synonyms: [String] = [],
        required: Bool = false, _ summary: String
    ) {
        self.path = path
        self.summary = summary
        self.expectation = Value.expectation + (range.text.isEmpty ? "" : " " + range.text) + Value.alternative
        self.onResume = onResume
        self.synonyms = synonyms
        self.isRequired = required
        self.read = { node, configuration in
            guard let value = Value(yaml: node), range.contains(value) else { return false }
            configuration[keyPath: keyPath] = value
            return true
        }
        self.node = Value.node(ofArgument:)
        self.remedy = Value.remedy(for:)
        self.write = { $0[keyPath: keyPath].yaml }
    }

    /// The part of the path after its last dot.
    var name: String { path.split(separator: ".").last.map(String.init) ?? path }

    var parent: String { path.split(separator: ".").dropLast().joined(separator: ".") }
}

/// The values that a setting takes.
struct ValueRange<Value: SettingValue>: Sendable {
    /// Follows the type's expectation: ">= 32"; empty for any value.
    let text: String
    let contains: @Sendable (Value) -> Bool

    static var any: Self { Self(text: "") { _ in true } }
}

extension ValueRange where Value: Comparable & Sendable {
    static func atLeast(_ bound: Value) -> Self { Self(text: ">= \(bound.yaml)") { $0 >= bound } }

    static func within(_ range: ClosedRange<Value>) -> Self {
        Self(text: "from \(range.lowerBound.yaml) to \(range.upperBound.yaml)") { range.contains($0) }
    }

    static func above(_ low: Value, upTo high: Value) -> Self {
        Self(text: "> \(low.yaml) and <= \(high.yaml)") { $0 > low && $0 <= high }
    }

    static func from(_ low: Value, below high: Value) -> Self {
        Self(text: ">= \(low.yaml) and < \(high.yaml)") { $0 >= low && $0 < high }
    }
}

extension ValueRange where Value == Int? {
    static func within(_ range: ClosedRange<Int>) -> Self {
        Self(text: "from \(range.lowerBound) to \(range.upperBound)") { $0.map(range.contains) ?? true }
    }
}

extension ValueRange where Value == AutomaticCount {
    static func within(_ range: ClosedRange<Int>) -> Self {
        Self(text: "from \(range.lowerBound) to \(range.upperBound)") { $0.count.map(range.contains) ?? true }
    }
}

extension ValueRange where Value == String {
    static var notEmpty: Self { Self(text: "that is not empty") { !$0.isEmpty } }
}

extension ValueRange where Value == [String] {
    static var notEmpty: Self {
        Self(text: "with at least one entry, none empty") { !$0.isEmpty && $0.allSatisfy { !$0.isEmpty } }
    }
}

/// A mapping of the configuration file.
struct Section: Sendable {
    let path: String
    let summary: String
    /// For a section that is null by default: makes it (with values that are still to be read) or takes it away.
    let setPresent: (@Sendable (Bool, inout RunConfiguration) -> Void)?
    let isPresent: @Sendable (RunConfiguration) -> Bool

    init(_ path: String, _ summary: String) {
        self.path = path
        self.summary = summary
        self.setPresent = nil
        self.isPresent = { _ in true }
    }

    init<Group: Sendable>(
        _ path: String, optional keyPath: any WritableKeyPath<RunConfiguration, Group?> & Sendable,
        _ empty: @escaping @Sendable () -> Group, _ summary: String
    ) {
        self.path = path
        self.summary = summary
        self.setPresent = { present, configuration in configuration[keyPath: keyPath] = present ? empty() : nil }
        self.isPresent = { $0[keyPath: keyPath] != nil }
    }
}
