import Files
import Settings
import Yams

/// Collects the values given for known keys, and what is wrong with the rest.
struct ConfigurationReader {
    /// A node given for a key, and where.
    private struct Given {
        let node: Node
        let place: String
    }

    private var given: [String: Given] = [:]
    private var problems: [ConfigurationError.Problem] = []
    /// Mappings merged so far.
    private var merged = 0
    private static let mergeLimit = 1000

    private let defaults: RunConfiguration
    private let schema: Schema<RunConfiguration>
    private let settings: [String: Setting<RunConfiguration>]
    private let sections: [String: Section<RunConfiguration>]

    /// - Parameters:
    ///   - task: has the defaults of the task whose keys are known.
    ///   - names: of the tasks that the program knows.
    init(task: any TaskSettings, among names: [String]) {
        defaults = RunConfiguration(task: task)
        schema = defaults.schema(among: names)
        settings = Dictionary(uniqueKeysWithValues: schema.settings.map { ($0.path, $0) })
        sections = Dictionary(uniqueKeysWithValues: schema.sections.map { ($0.path, $0) })
    }

    /// The value that was given for `task`, whatever it is; nil for none.
    var taskName: String? { given["task"].flatMap { TaskName(yaml: $0.node)?.name } }

    /// What is wrong where `taskName` is no task.
    var unknownTask: ConfigurationError {
        let given = given["task"]!, setting = settings["task"]!
        return ConfigurationError([
            .init(
                given.place, "'task' must be \(setting.expectation), not \(given.node.shown)", remedy: meaning(setting)
            )
        ])
    }

    // MARK: Sources

    mutating func readFile(_ text: String, name: String) {
        do {
            guard let root = try Yams.compose(yaml: text) else { return }
            readMapping(root, name: name)
        } catch {
            notYAML(error, name)
        }
    }

    /// Keys of a file, or of a part of one; null is none.
    mutating func readMapping(_ node: Node, name: String) {
        if node.isNull { return }
        guard case .mapping(let mapping) = node else {
            problem(
                Self.place(node, name), "not a mapping of keys", "write sections such as 'run:' with keys below them")
            return
        }
        read(mapping, under: "") { Self.place($0, name) }
    }

    mutating func readRoots(_ roots: [String]) {
        given["data.roots"] = Given(node: Node(roots.map(Node.init(text:))), place: "image folders")
    }

    mutating func readOverride(_ override: String) {
        let place = "--set \(shownText(override))"
        guard let equals = override.firstIndex(of: "="), equals != override.startIndex else {
            problem(place, "not of the form key=value", "write for example --set optimizer.momentum=0.9")
            return
        }
        let path = trimmed(override[..<equals])
        var value = override[override.index(after: equals)...]
        // Written as "key = value", the space before the value is not part of it.
        if override[..<equals].last == " ", value.first == " " { value.removeFirst() }
        do {
            let node: Node
            if let setting = settings[path] {
                node = try setting.node(String(value))
            } else if sections[path] != nil {
                node = try Node(yaml: String(value))
            } else {
                // The key is the fault to name, whatever its value.
                node = (try? Node(yaml: String(value))) ?? Node(text: String(value))
            }
            read(node, at: path, keyPlace: place) { _ in place }
        } catch {
            notYAML(error, place)
        }
    }

    private func trimmed(_ text: Substring) -> String {
        String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }

    private static func place(_ node: Node, _ name: String) -> String {
        node.mark.map { "\(name):\($0.line):\($0.column)" } ?? name
    }

    private mutating func notYAML(_ error: any Error, _ name: String) {
        var place = name
        var message = "\(error)"
        switch error {
        case YamlError.scanner(let context, let text, let mark, _),
            YamlError.parser(let context, let text, let mark, _),
            YamlError.composer(let context, let text, let mark, _):
            place = "\(name):\(mark.line):\(mark.column)"
            message = text + (context.map { " \($0.text)" } ?? "")
        case YamlError.duplicatedKeysInMapping(let duplicates, let context):
            place = "\(name):\(context.mark.line):\(context.mark.column)"
            message = "given twice in one section: " + duplicates.joined(separator: ", ")
        case YamlError.reader(let text, _, _, _):
            message = text
        default:
            break
        }
        problem(place, "not valid YAML: \(message)", "check indentation, colons and quotes near there")
    }

    // MARK: Walk

    private mutating func read(_ mapping: Node.Mapping, under parent: String, place: (Node) -> String) {
        for (key, value) in pairs(of: mapping, place: place) {
            let name = key.string ?? "?"
            // Mappings that are there to be merged elsewhere.
            if parent.isEmpty, name.hasPrefix("x-") { continue }
            read(value, at: parent.isEmpty ? name : "\(parent).\(name)", keyPlace: place(key), place: place)
        }
    }

    /// A mapping's own pairs, and those of the mappings that its merge key (`<<`) names; the first of a name counts.
    private mutating func pairs(of mapping: Node.Mapping, place: (Node) -> String) -> [(key: Node, value: Node)] {
        var pairs = mapping.filter { !$0.key.isMergeKey }
        var names = Set(pairs.map(\.key.string))
        for (key, value) in mapping where key.isMergeKey {
            let nodes = value.sequence.map(Array.init) ?? [value]
            guard nodes.allSatisfy({ $0.mapping != nil }) else {
                problem(
                    place(key), "'<<' merges a mapping or a list of mappings, not \(value.shown)",
                    "write for example '<<: *name', where '&name' stands before a mapping")
                continue
            }
            for node in nodes where mayMerge(place(key)) {
                pairs += self.pairs(of: node.mapping!, place: place).filter { names.insert($0.key.string).inserted }
            }
        }
        return pairs
    }

    /// False once there were too many: merged mappings that merge others double with each.
    private mutating func mayMerge(_ place: String) -> Bool {
        merged += 1
        if merged == Self.mergeLimit + 1 {
            problem(place, "more than \(Self.mergeLimit) mappings are merged", "merge fewer, or write keys out")
        }
        return merged <= Self.mergeLimit
    }

    private mutating func read(_ node: Node, at path: String, keyPlace: String, place: (Node) -> String) {
        if settings[path] != nil {
            forgetNull(above: path)
            given[path] = Given(node: node, place: place(node))
        } else if let section = sections[path] {
            readSection(section, node, keyPlace: keyPlace, place: place)
        } else {
            unknown(path, node, keyPlace: keyPlace, place: place)
        }
    }

    private mutating func readSection(
        _ section: Section<RunConfiguration>, _ node: Node, keyPlace: String, place: (Node) -> String
    ) {
        if case .mapping(let mapping) = node {
            forgetNull(above: section.path)
            given[section.path] = section.setPresent == nil ? nil : Given(node: node, place: keyPlace)
            read(mapping, under: section.path, place: place)
        } else if node.isNull {
            guard section.setPresent != nil else { return }
            given = given.filter { !$0.key.hasPrefix(section.path + ".") }
            given[section.path] = Given(node: node, place: keyPlace)
        } else {
            let keys = children(of: section.path).joined(separator: ", ")
            problem(place(node), "'\(section.path)' is a section, not a value", "its keys are \(keys)")
        }
    }

    /// A key given after (or by --set over) a section's null brings the section back.
    private mutating func forgetNull(above path: String) {
        for section in sections.keys where path.hasPrefix(section + ".") {
            if given[section]?.node.isNull == true { given[section] = nil }
        }
    }

    private mutating func unknown(_ path: String, _ node: Node, keyPlace: String, place: (Node) -> String) {
        if case .mapping(let mapping) = node, let section = schema.section(near: path) {
            problem(keyPlace, "unknown section '\(shownText(path))'", "did you mean '\(section.path)'?")
            // Its keys may be mistyped too: say so now rather than after the next run.
            for (key, value) in pairs(of: mapping, place: place)
            where settings["\(section.path).\(key.string ?? "?")"] == nil {
                unknown("\(path).\(key.string ?? "?")", value, keyPlace: place(key), place: place)
            }
        } else if let setting = schema.setting(near: path) {
            let value = setting.isRequired ? "" : " (default \(schema.defaultValue(of: setting, in: defaults)))"
            problem(keyPlace, "unknown key '\(shownText(path))'", "did you mean '\(setting.path)'\(value)?")
        } else if let section = schema.section(near: path) {
            problem(keyPlace, "unknown section '\(shownText(path))'", "did you mean '\(section.path)'?")
        } else {
            let parent = path.split(separator: ".").dropLast().joined(separator: ".")
            let known = sections[parent] != nil
            let keys = children(of: known ? parent : "").joined(separator: ", ")
            problem(
                keyPlace, "unknown key '\(shownText(path))'",
                "the keys of \(known ? "'\(parent)'" : "the file") are \(keys)")
        }
    }

    private func children(of section: String) -> [String] {
        (schema.sections.map(\.path) + schema.settings.map(\.path)).compactMap { path in
            let parts = path.split(separator: ".")
            return parts.dropLast().joined(separator: ".") == section ? parts.last.map(String.init) : nil
        }
    }

    private mutating func problem(_ place: String, _ message: String, _ remedy: String) {
        problems.append(.init(place, message, remedy: remedy))
    }

    // MARK: Values

    mutating func finish() throws -> LoadedConfiguration {
        checkBatchKeys()
        var configuration = defaults
        for section in schema.sections where section.setPresent != nil && isGiven(section) {
            section.setPresent?(true, &configuration)
        }
        for setting in schema.settings {
            guard let value = given[setting.path] else { continue }
            if !setting.read(value.node, &configuration) {
                problem(
                    value.place, "'\(setting.path)' must be \(setting.expectation), not \(value.node.shown)",
                    setting.remedy(value.node) ?? meaning(setting))
            }
        }
        configuration.task.completeDefaults(except: Set(given.keys))
        checkRequired()
        if problems.isEmpty {
            problems += configuration.contradictions { given[$0]?.place ?? $0 }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        return LoadedConfiguration(
            configuration: configuration, origins: given.filter { settings[$0.key] != nil }.mapValues(\.place))
    }

    private func isGiven(_ section: Section<RunConfiguration>) -> Bool {
        if let own = given[section.path] { return !own.node.isNull }
        return given.keys.contains { $0.hasPrefix(section.path + ".") }
    }

    private mutating func checkRequired() {
        for section in schema.sections where section.setPresent != nil && isGiven(section) {
            let missing = schema.settings.filter {
                $0.isRequired && $0.path.hasPrefix(section.path + ".") && given[$0.path] == nil
            }
            guard !missing.isEmpty else { continue }
            let place = given[section.path]?.place ?? given.first { $0.key.hasPrefix(section.path + ".") }?.value.place
            problem(
                place ?? section.path,
                "'\(section.path)' lacks " + missing.map { "'\($0.path)'" }.joined(separator: ", "),
                "add what is missing, or write '\(section.path): null' to go without")
        }
    }

    private mutating func checkBatchKeys() {
        let global = given["batch.global"]
        let perRank = given["batch.perRank"]
        if let global, let perRank, !global.node.isNull, !perRank.node.isNull {
            problem(
                perRank.place, "'batch.perRank' and 'batch.global' (\(global.place)) are both set",
                "keep one of them, or set the other to null")
        } else if let global, global.node.isNull, perRank?.node.isNull ?? true {
            problem(
                global.place, "'batch.global' is null and 'batch.perRank' is not set",
                "set one of them, for example 'global: 1024'")
        }
    }

    /// A key's summary and default, as they follow a message.
    private func meaning(_ setting: Setting<RunConfiguration>) -> String {
        let text = setting.summary.first!.lowercased() + setting.summary.dropFirst()
        return (text.hasSuffix(".") ? String(text.dropLast()) : text)
            + (setting.isRequired ? "" : " (default \(schema.defaultValue(of: setting, in: defaults)))")
    }
}
