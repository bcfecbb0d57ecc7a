import Files
import Settings
package import SystemPackage
import Yams

/// A study as its user wrote it: what is compared, and the keys of its runs.
package struct StudyFile {
    package let study: Study
    /// In messages.
    let name: String
    /// Keys of `pixpro train` that all fine-tunings have.
    let training: Node
    /// Keys over those, by start.
    let startTrainings: [Node?]
    /// By pretraining.
    let pretrainings: [Node]

    /// Reads a study from a file.
    package init(_ file: FilePath) throws {
        let bytes = try WholeFile.bytes(of: file, limit: 1 << 24)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationError([.init(file.shown, "not a text file in UTF-8", remedy: "give a YAML file")])
        }
        try self.init(yaml: text, name: file.shown)
    }

    /// - Throws: `ConfigurationError` with everything that is wrong with the study itself; what is wrong with the keys of
    ///   its runs `configurations` says.
    package init(yaml: String, name: String) throws {
        var reader = StudyReader(name: name)
        let file = reader.file(yaml)
        guard reader.problems.isEmpty, let file else { throw ConfigurationError(reader.problems) }
        self = file
    }

    fileprivate init(_ study: Study, name: String, training: Node, starts: [Node?], pretrainings: [Node]) {
        (self.study, self.name, self.training) = (study, name, training)
        (startTrainings, self.pretrainings) = (starts, pretrainings)
    }
}

/// Collects what a study's file says, and what is wrong with it.
private struct StudyReader {
    let name: String
    private(set) var problems: [ConfigurationError.Problem] = []

    init(name: String) { self.name = name }

    mutating func file(_ yaml: String) -> StudyFile? {
        let root: Node
        do {
            root = try Yams.compose(yaml: yaml) ?? Node([:])
        } catch {
            problems.append(.init(name, "not valid YAML: \(error)", remedy: "check indentation, colons and quotes"))
            return nil
        }
        let keys = [
            "directory", "pretrainingDirectory", "score", "resamples", "labels", "starts", "pretrainings", "training",
        ]
        let values = mapping(
            root, "the file", keys: keys, required: ["directory", "score", "labels", "starts", "training"])
        let shares = list(values["labels"], "labels") { $0.share($1) }
        let pretrainings = pretrainings(values["pretrainings"])
        let starts = list(values["starts"], "starts") { $0.start($1) }
        check(starts.map(\.start), pretrainings.map(\.name), values["starts"] ?? root)
        if let training = values["training"], training.mapping == nil {
            problem(training, "'training' is no mapping of keys", "write keys of `pixpro train` below it")
        }
        let pretrainingDirectory = values["pretrainingDirectory"].flatMap { path($0, "pretrainingDirectory") }
        if let place = values["pretrainingDirectory"], values["pretrainings"] == nil {
            problem(place, "'pretrainingDirectory' is of pretrainings", "add 'pretrainings', or take it away")
        }
        guard let directory = values["directory"].flatMap({ path($0, "directory") }),
            let score = values["score"].flatMap({ text($0, "score") }), let training = values["training"],
            !shares.isEmpty
        else { return nil }
        let resamples = values["resamples"].map { number($0, "resamples", in: 0...100_000) ?? 0 } ?? 1000
        let study = Study(
            directory: directory, pretrainingDirectory: pretrainingDirectory, score: score, resamples: resamples,
            shares: shares, starts: starts.map(\.start), pretrainings: pretrainings.map(\.name))
        checkNames(of: study, root)
        return StudyFile(
            study, name: name, training: training, starts: starts.map(\.training),
            pretrainings: pretrainings.map(\.training))
    }

    // MARK: Parts

    private mutating func share(_ node: Node) -> Study.Share? {
        let values = mapping(node, "an entry of labels", keys: ["fraction", "seeds"], required: ["fraction", "seeds"])
        guard let fraction = values["fraction"], let seeds = values["seeds"] else { return nil }
        guard let share = Double(yaml: fraction), share > 0, share <= 1 else {
            problem(fraction, "'fraction' must be a number > 0 and <= 1", "write for example 0.1")
            return nil
        }
        return number(seeds, "seeds", in: 1...1000).map { Study.Share(fraction: share, seeds: $0) }
    }

    private mutating func start(_ node: Node) -> (start: Study.Start, training: Node?)? {
        let values = mapping(
            node, "an entry of starts", keys: ["name", "pretraining", "network", "weights", "training"],
            required: ["name"])
        guard let name = values["name"].flatMap({ text($0, "name") }) else { return nil }
        if let training = values["training"], training.mapping == nil {
            problem(training, "'training' is no mapping of keys", "write keys of `pixpro train` below it")
        }
        if let network = values["network"], values["pretraining"] == nil {
            problem(network, "'network' is of a pretraining", "add 'pretraining', or take it away")
        }
        if let weights = values["weights"], values["pretraining"] != nil {
            problem(weights, "'weights' and 'pretraining' are both there", "take one of them away")
        }
        let start = Study.Start(
            name: name, pretraining: values["pretraining"].flatMap { text($0, "pretraining") },
            network: values["network"].flatMap { text($0, "network") },
            weights: values["weights"].flatMap { path($0, "weights") })
        return (start, values["training"])
    }

    private mutating func pretrainings(_ node: Node?) -> [(name: String, training: Node)] {
        guard let node else { return [] }
        guard let mapping = node.mapping else {
            problem(node, "'pretrainings' is no mapping", "write names, and keys of `pixpro train` below each")
            return []
        }
        return mapping.compactMap { key, value in
            guard value.mapping != nil, let name = text(key, "a name") else {
                problem(key, "a pretraining is a mapping of keys", "write keys of `pixpro train` below its name")
                return nil
            }
            return (name, value)
        }
    }

    private mutating func check(_ starts: [Study.Start], _ names: [String], _ place: Node) {
        for start in starts {
            guard let wanted = start.pretraining, !names.contains(wanted) else { continue }
            problem(
                place, "the start '\(start.name)' begins with the pretraining '\(wanted)', which there is not",
                names.isEmpty ? "add it to 'pretrainings'" : "the pretrainings are \(names.joined(separator: ", "))")
        }
        for unused in names where !starts.contains(where: { $0.pretraining == unused }) {
            problem(place, "no start begins with the pretraining '\(unused)'", "add one, or take it away")
        }
        for (what, all) in [("starts", starts.map(\.name)), ("pretrainings", names)] {
            let files = all.map(Study.fileName)
            if Set(files).count < files.count || files.contains("") {
                problem(place, "two \(what) have names that cannot be told apart in files", "give them other names")
            }
        }
    }

    /// Runs and weights are files: none may stand for two.
    private mutating func checkNames(of study: Study, _ place: Node) {
        var seen: Set<String> = []
        if let twice = study.jobs.map(study.name).first(where: { !seen.insert($0).inserted }) {
            problem(
                place, "two runs would be called '\(twice)'",
                "give labels fractions that differ by a tenth of a per cent, and starts other names")
        }
        var owners: [FilePath: Study.Start] = [:]
        for start in study.starts where start.pretraining != nil {
            guard let weights = study.weights(of: start) else { continue }
            let other = owners.updateValue(start, forKey: weights)
            if let other, (other.pretraining, other.network) != (start.pretraining, start.network) {
                problem(
                    place, "the starts '\(other.name)' and '\(start.name)' would have weights of one name",
                    "give the pretrainings other names")
            }
        }
    }

    // MARK: Values

    private mutating func mapping(_ node: Node, _ what: String, keys: [String], required: [String]) -> [String: Node] {
        guard let mapping = node.mapping else {
            problem(node, "\(what) is no mapping of keys", "its keys are \(keys.joined(separator: ", "))")
            return [:]
        }
        var values: [String: Node] = [:]
        for (key, value) in mapping {
            // Mappings that are there to be merged elsewhere.
            if key.string?.hasPrefix("x-") == true { continue }
            guard let known = key.string, keys.contains(known) else {
                problem(
                    key, "unknown key '\(shownText(key.string ?? "?"))' in \(what)",
                    "the keys are \(keys.joined(separator: ", "))")
                continue
            }
            values[known] = value
        }
        for missing in required where values[missing] == nil {
            problem(node, "\(what) lacks '\(missing)'", "add it; the keys are \(keys.joined(separator: ", "))")
        }
        return values
    }

    private mutating func list<Item>(
        _ node: Node?, _ what: String, _ item: (inout StudyReader, Node) -> Item?
    ) -> [Item] {
        guard let node else { return [] }
        guard let sequence = node.sequence, !sequence.isEmpty else {
            problem(node, "'\(what)' must be a list with at least one entry", "write '- …' below it")
            return []
        }
        return sequence.compactMap { item(&self, $0) }
    }

    private mutating func text(_ node: Node, _ what: String) -> String? {
        guard case .scalar(let scalar) = node, !node.isNull, !scalar.string.isEmpty else {
            problem(node, "'\(what)' must be text", "write one, in quotes if it has colons")
            return nil
        }
        return scalar.string
    }

    private mutating func path(_ node: Node, _ what: String) -> FilePath? {
        guard let path = FilePath(yaml: node), !path.isEmpty else {
            problem(node, "'\(what)' must be a path", "write for example runs/studies/mine")
            return nil
        }
        return path
    }

    private mutating func number(_ node: Node, _ what: String, in range: ClosedRange<Int>) -> Int? {
        guard let number = Int(yaml: node), range.contains(number) else {
            problem(
                node, "'\(what)' must be a whole number from \(range.lowerBound) to \(range.upperBound)",
                "write for example 3")
            return nil
        }
        return number
    }

    private mutating func problem(_ node: Node, _ message: String, _ remedy: String) {
        let place = node.mark.map { "\(name):\($0.line):\($0.column)" } ?? name
        problems.append(.init(place, message, remedy: remedy))
    }
}
