package import Yams

/// What a changed value means for a run that is resumed.
package enum ResumeRule: Sendable {
    /// The saved state would not fit or would mean something else: resuming is refused.
    case mustMatch
    /// The saved state fits, and training goes on differently than it would have: worth a warning.
    case changesTraining
    /// Only where and how fast the run works.
    case free
}

/// One key of a configuration whose values are in `Root`: everything that reading, writing, error messages and the
/// reference need to know.
package struct Setting<Root>: Sendable {
    package let path: String
    /// One sentence for the reference and the resolved file.
    package let summary: String
    /// What the value must be: "a whole number >= 32".
    package let expectation: String
    package let onResume: ResumeRule
    /// Names that other programs use for it, to suggest this key for.
    package let synonyms: [String]
    /// Has no default: must be given where its group is.
    package let isRequired: Bool
    /// Whether the value names files or folders.
    package let isPath: Bool
    /// Stores the node's value; false where it does not fit `expectation`.
    package let read: @Sendable (Node, inout Root) -> Bool
    /// What the characters after `key=` on a command line stand for.
    package let node: @Sendable (String) throws -> Node
    /// What to do about a node that `read` refused, where that is more than the setting's range and summary.
    package let remedy: @Sendable (Node) -> String?
    /// The value as YAML. The optional group that holds the key must be there.
    package let write: @Sendable (Root) -> String

    package init<Value: SettingValue>(
        _ path: String, _ keyPath: any WritableKeyPath<Root, Value> & Sendable,
        in range: ValueRange<Value> = .any, onResume: ResumeRule = .free, synonyms: [String] = [],
        required: Bool = false, _ summary: String
    ) {
        self.path = path
        self.summary = summary
        self.expectation = Value.expectation + (range.text.isEmpty ? "" : " " + range.text) + Value.alternative
        self.onResume = onResume
        self.synonyms = synonyms
        self.isRequired = required
        self.isPath = Value.isPath
        self.read = { node, root in
            guard let value = Value(yaml: node), range.contains(value) else { return false }
            root[keyPath: keyPath] = value
            return true
        }
        self.node = Value.node(ofArgument:)
        self.remedy = Value.remedy(for:)
        self.write = { $0[keyPath: keyPath].yaml }
    }

    /// The same key, whose values are found in another root.
    init<Inner>(_ inner: Setting<Inner>, in place: Mount<Root, Inner>) {
        (path, summary, expectation, onResume) = (inner.path, inner.summary, inner.expectation, inner.onResume)
        (synonyms, isRequired, isPath) = (inner.synonyms, inner.isRequired, inner.isPath)
        (node, remedy) = (inner.node, inner.remedy)
        read = { node, root in
            var isRead = false
            place.change(&root) { isRead = inner.read(node, &$0) }
            return isRead
        }
        write = { inner.write(place.get($0)) }
    }

    /// The part of the path after its last dot.
    package var name: String { path.split(separator: ".").last.map(String.init) ?? path }

    package var parent: String { path.split(separator: ".").dropLast().joined(separator: ".") }
}

/// The values that a setting takes.
package struct ValueRange<Value: SettingValue>: Sendable {
    /// Follows the type's expectation: ">= 32"; empty for any value.
    package let text: String
    package let contains: @Sendable (Value) -> Bool

    package init(text: String, contains: @escaping @Sendable (Value) -> Bool) {
        (self.text, self.contains) = (text, contains)
    }

    package static var any: Self { Self(text: "") { _ in true } }
}

extension ValueRange where Value: Comparable & Sendable {
    package static func atLeast(_ bound: Value) -> Self { Self(text: ">= \(bound.yaml)") { $0 >= bound } }

    package static func within(_ range: ClosedRange<Value>) -> Self {
        Self(text: "from \(range.lowerBound.yaml) to \(range.upperBound.yaml)") { range.contains($0) }
    }

    package static func above(_ low: Value, upTo high: Value) -> Self {
        Self(text: "> \(low.yaml) and <= \(high.yaml)") { $0 > low && $0 <= high }
    }

    package static func from(_ low: Value, below high: Value) -> Self {
        Self(text: ">= \(low.yaml) and < \(high.yaml)") { $0 >= low && $0 < high }
    }
}

extension ValueRange where Value == Int? {
    package static func within(_ range: ClosedRange<Int>) -> Self {
        Self(text: "from \(range.lowerBound) to \(range.upperBound)") { $0.map(range.contains) ?? true }
    }
}

extension ValueRange where Value == AutomaticCount {
    package static func within(_ range: ClosedRange<Int>) -> Self {
        Self(text: "from \(range.lowerBound) to \(range.upperBound)") { $0.count.map(range.contains) ?? true }
    }
}

extension ValueRange where Value == TaskName {
    package static func among(_ names: [String]) -> Self {
        Self(text: "(\(names.joined(separator: ", ")))") { names.contains($0.name) }
    }
}
