/// A mapping of a configuration file, whose values are in `Root`.
package struct Section<Root>: Sendable {
    package let path: String
    package let summary: String
    /// For a section that is null by default: makes it (with values that are still to be read) or takes it away.
    package let setPresent: (@Sendable (Bool, inout Root) -> Void)?
    package let isPresent: @Sendable (Root) -> Bool

    package init(_ path: String, _ summary: String) {
        self.path = path
        self.summary = summary
        self.setPresent = nil
        self.isPresent = { _ in true }
    }

    package init<Group: Sendable>(
        _ path: String, optional keyPath: any WritableKeyPath<Root, Group?> & Sendable,
        _ empty: @escaping @Sendable () -> Group, _ summary: String
    ) {
        self.path = path
        self.summary = summary
        self.setPresent = { present, root in root[keyPath: keyPath] = present ? empty() : nil }
        self.isPresent = { $0[keyPath: keyPath] != nil }
    }

    /// The same section, whose values are found in another root.
    init<Inner>(_ inner: Section<Inner>, in place: Mount<Root, Inner>) {
        (path, summary) = (inner.path, inner.summary)
        if let setPresent = inner.setPresent {
            self.setPresent = { (present: Bool, root: inout Root) in
                place.change(&root) { (values: inout Inner) in setPresent(present, &values) }
            }
        } else {
            setPresent = nil
        }
        isPresent = { inner.isPresent(place.get($0)) }
    }

    package var name: String { path.split(separator: ".").last.map(String.init) ?? path }
    package var parent: String { path.split(separator: ".").dropLast().joined(separator: ".") }
}

/// Where the values of one schema are found among those of another.
package struct Mount<Outer, Inner>: Sendable {
    let get: @Sendable (Outer) -> Inner
    let change: @Sendable (inout Outer, (inout Inner) -> Void) -> Void

    package init(
        get: @escaping @Sendable (Outer) -> Inner,
        change: @escaping @Sendable (inout Outer, (inout Inner) -> Void) -> Void
    ) {
        (self.get, self.change) = (get, change)
    }
}

/// The keys of a configuration, or of the part of one that a task brings.
package struct Schema<Root>: Sendable {
    /// Outer before inner.
    package var sections: [Section<Root>]
    /// In the order of the reference and of the resolved file.
    package var settings: [Setting<Root>]

    package init(sections: [Section<Root>], settings: [Setting<Root>]) {
        (self.sections, self.settings) = (sections, settings)
    }

    /// The same keys, with their values in another root.
    package func mounted<Outer>(_ place: Mount<Outer, Root>) -> Schema<Outer> {
        Schema<Outer>(
            sections: sections.map { Section($0, in: place) }, settings: settings.map { Setting($0, in: place) })
    }

    package static func + (first: Schema, second: Schema) -> Schema {
        Schema(sections: first.sections + second.sections, settings: first.settings + second.settings)
    }

    /// Whether all optional sections around a key are there.
    package func isPresent(_ setting: Setting<Root>, in root: Root) -> Bool {
        sections.allSatisfy { !setting.path.hasPrefix($0.path + ".") || $0.isPresent(root) }
    }

    /// A key's default as YAML; empty for a required one.
    package func defaultValue(of setting: Setting<Root>, in defaults: Root) -> String {
        if setting.isRequired { return "" }
        var root = defaults
        for section in sections { section.setPresent?(true, &root) }
        return setting.write(root)
    }
}
