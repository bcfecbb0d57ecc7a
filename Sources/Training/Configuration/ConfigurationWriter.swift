import Files
import Settings

extension RunConfiguration {
    /// The whole configuration as YAML that reads back equal, each key with its meaning and, where `origins` has it,
    /// where its value came from.
    package func yaml(origins: [String: String] = [:]) -> String {
        let schema = schema
        var lines: [String] = []
        func add(_ indent: Int, _ key: String, _ value: String, _ comment: String) {
            let text = String(repeating: "  ", count: indent) + key + ":" + (value.isEmpty ? "" : " " + value)
            lines.append(text.padding(to: 36) + "  # " + comment)
        }
        func addSection(_ parent: String, indent: Int) {
            for setting in schema.settings where setting.parent == parent && schema.isPresent(setting, in: self) {
                let origin = origins[setting.path].map { " [\(shownText($0))]" } ?? ""
                add(indent, setting.name, setting.write(self), setting.summary + origin)
            }
            for section in schema.sections where section.parent == parent {
                if indent == 0 { lines.append("") }
                add(indent, section.name, section.isPresent(self) ? "" : "null", section.summary)
                if section.isPresent(self) { addSection(section.path, indent: indent + 1) }
            }
        }
        addSection("", indent: 0)
        return lines.joined(separator: "\n") + "\n"
    }

    /// All values as YAML but those that name files and folders, which mean nothing on another machine and are nobody's
    /// business there: for files that are handed on.
    package var portableYAML: String {
        let schema = schema
        var lines: [String] = []
        func addSection(_ parent: String, indent: Int) {
            let space = String(repeating: "  ", count: indent)
            for setting in schema.settings
            where setting.parent == parent && !setting.isPath && schema.isPresent(setting, in: self) {
                lines.append("\(space)\(setting.name): \(setting.write(self))")
            }
            for section in schema.sections where section.parent == parent && section.isPresent(self) {
                lines.append("\(space)\(section.name):")
                addSection(section.path, indent: indent + 1)
            }
        }
        addSection("", indent: 0)
        return lines.joined(separator: "\n") + "\n"
    }
}

extension String {
    /// The text followed by spaces up to `width` characters.
    func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

    /// The text after spaces up to `width` characters.
    func leadingPadding(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
