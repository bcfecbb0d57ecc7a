import Settings
package import Yams

/// What pixels can show: names, or numbers where there are none.
package struct ClassNames: Sendable, Equatable {
    package let names: [String]

    /// Nil for less than two, or more than label maps can tell apart from `void`.
    package init?(_ names: [String]) {
        guard (2...255).contains(names.count), Set(names).count == names.count else { return nil }
        self.names = names
    }

    /// "0", "1", ….
    package init?(count: Int) {
        guard (2...255).contains(count) else { return nil }
        names = (0..<count).map(String.init)
    }

    package var count: Int { names.count }
}

extension ClassNames: SettingValue {
    package static var expectation: String { "a number from 2 to 255, or a list of as many different names" }

    package init?(yaml node: Node) {
        if let count = Int(yaml: node) {
            self.init(count: count)
        } else if case .sequence(let sequence) = node {
            let names = sequence.map { node in
                if case .scalar(let scalar) = node { scalar.string } else { "" }
            }
            guard !names.contains("") else { return nil }
            self.init(names)
        } else {
            return nil
        }
    }

    package var yaml: String {
        self == ClassNames(count: count) ? String(count) : "[" + names.map(\.quoted).joined(separator: ", ") + "]"
    }
}
