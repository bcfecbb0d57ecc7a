import Files
import PixelLearning

extension Setting {
    /// The default as YAML; empty for a required key.
    var defaultValue: String {
        if isRequired { return "" }
        var configuration = RunConfiguration()
        for section in Section.all { section.setPresent?(true, &configuration) }
        return write(configuration)
    }

    fileprivate func isPresent(in configuration: RunConfiguration) -> Bool {
        Section.all.allSatisfy { !path.hasPrefix($0.path + ".") || $0.isPresent(configuration) }
    }
}

extension RunConfiguration {
    /// The whole configuration as YAML that reads back equal, each key with its meaning and, where `origins` has it,
    /// where its value came from.
    public func yaml(origins: [String: String] = [:]) -> String {
        var lines: [String] = []
        func add(_ indent: Int, _ key: String, _ value: String, _ comment: String) {
            let text = String(repeating: "  ", count: indent) + key + ":" + (value.isEmpty ? "" : " " + value)
            lines.append(text.padding(to: 36) + "  # " + comment)
        }
        func addSection(_ parent: String, indent: Int) {
            for setting in Setting.all where setting.parent == parent && setting.isPresent(in: self) {
                let origin = origins[setting.path].map { " [\(shownText($0))]" } ?? ""
                add(indent, setting.name, setting.write(self), setting.summary + origin)
            }
            for section in Section.all where section.parent == parent {
                if indent == 0 { lines.append("") }
                add(indent, section.name, section.isPresent(self) ? "" : "null", section.summary)
                if section.isPresent(self) { addSection(section.path, indent: indent + 1) }
            }
        }
        addSection("", indent: 0)
        return lines.joined(separator: "\n") + "\n"
    }

    /// Every key with its type, default and meaning, and the differences between the dialects, as plain text.
    public static var reference: String {
        var lines = [
            "Configuration keys (YAML file with --config, or --set key=value)",
            "  '<<: *name' merges a mapping; at the top of the file, keys that begin with x- only hold mappings to merge.",
            "  A path may begin with ~/ for the home folder.",
        ]
        for section in [nil] + Section.all.map(Optional.some) {
            let settings = Setting.all.filter { $0.parent == section?.path ?? "" }
            guard !settings.isEmpty || section?.setPresent != nil else { continue }
            if let section { lines += ["", "\(section.path): \(section.summary)"] }
            for setting in settings {
                let value = setting.isRequired ? "required" : "default \(setting.defaultValue)"
                lines += ["  \(setting.path): \(setting.expectation), \(value)", "      \(setting.summary)"]
            }
        }
        lines += ["", "Dialects (method.dialect)"]
        for difference in Dialect.differences {
            lines += [
                "  \(difference.subject)", "      official: \(difference.official)",
                "      paper:    \(difference.paper)",
            ]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension Section {
    fileprivate var name: String { path.split(separator: ".").last.map(String.init) ?? path }
    fileprivate var parent: String { path.split(separator: ".").dropLast().joined(separator: ".") }
}

extension String {
    /// The text followed by spaces up to `width` characters.
    func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }

    /// The text after spaces up to `width` characters.
    func leadingPadding(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
