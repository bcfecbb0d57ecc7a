import Files
package import Settings
package import SystemPackage
package import Yams

/// A configuration with the origin of every value that is not a default.
package struct LoadedConfiguration: Sendable {
    package var configuration: RunConfiguration
    /// Where a key was set, as `run.yaml:14:3` or `--set optimizer.momentum=0.5`, by key.
    package var origins: [String: String]
}

extension RunConfiguration {
    /// Reads a configuration file, or takes the defaults where `file` is nil, and puts over it the image folders of the
    /// command line, if any, and `key=value` overrides.
    ///
    /// - Throws: `ConfigurationError` with everything that is wrong.
    package static func load(
        file: FilePath?, roots: [String] = [], overrides: [String] = [], tasks: [any TaskSettings.Type]
    ) throws -> LoadedConfiguration {
        try parse(
            yaml: try text(of: file), name: file?.shown ?? "", roots: roots, overrides: overrides, tasks: tasks)
    }

    /// The task that a configuration file and overrides name, whatever else they say.
    ///
    /// - Throws: `ConfigurationError` where they name one that the program does not know.
    package static func chosenTask(
        file: FilePath?, overrides: [String], among tasks: [any TaskSettings.Type]
    ) throws -> any TaskSettings.Type {
        let reader = reader(
            tasks[0], yaml: try text(of: file), name: file?.shown ?? "", roots: [], overrides: overrides, tasks)
        guard let name = reader.taskName else { return tasks[0] }
        guard let task = tasks.first(where: { $0.name == name }) else { throw reader.unknownTask }
        return task
    }

    /// Of a configuration file; empty without one.
    private static func text(of file: FilePath?) throws -> String {
        guard let file else { return "" }
        let bytes: [UInt8]
        do {
            bytes = try WholeFile.bytes(of: file, limit: 1 << 24)
        } catch let error as FileError {
            throw ConfigurationError([
                .init(
                    file.shown, "the configuration cannot be read: \(error.cause)",
                    remedy: "give --config a YAML file that exists")
            ])
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationError([
                .init(file.shown, "not a text file in UTF-8", remedy: "give --config a YAML file")
            ])
        }
        return text
    }

    private static func reader(
        _ task: any TaskSettings.Type, yaml: String, name: String, roots: [String], overrides: [String],
        _ tasks: [any TaskSettings.Type]
    ) -> ConfigurationReader {
        var reader = ConfigurationReader(task: task.init(), among: tasks.map { $0.name })
        reader.readFile(yaml, name: name)
        if !roots.isEmpty { reader.readRoots(roots) }
        for override in overrides { reader.readOverride(override) }
        return reader
    }

    /// Reads YAML text; `name` stands for the file in messages.
    ///
    /// - Parameter tasks: those that the key `task` may name, whose keys there may be then. The first is the default.
    package static func parse(
        yaml: String, name: String, roots: [String] = [], overrides: [String] = [], tasks: [any TaskSettings.Type]
    ) throws -> LoadedConfiguration {
        try parse(among: tasks) { Self.reader($0, yaml: yaml, name: name, roots: roots, overrides: overrides, tasks) }
    }

    /// Reads mappings that are parts of a file of the name `name`, later ones over earlier ones, and overrides over all.
    package static func parse(
        mappings: [Node], name: String, overrides: [String], tasks: [any TaskSettings.Type]
    ) throws -> LoadedConfiguration {
        try parse(among: tasks) { task in
            var reader = ConfigurationReader(task: task.init(), among: tasks.map { $0.name })
            for mapping in mappings { reader.readMapping(mapping, name: name) }
            for override in overrides { reader.readOverride(override) }
            return reader
        }
    }

    /// - Parameter read: reads everything as of one task.
    private static func parse(
        among tasks: [any TaskSettings.Type], read: (any TaskSettings.Type) -> ConfigurationReader
    ) throws -> LoadedConfiguration {
        var reader = read(tasks[0])
        if let name = reader.taskName, name != tasks[0].name {
            // Which keys there are, only the task says.
            guard let chosen = tasks.first(where: { $0.name == name }) else { throw reader.unknownTask }
            reader = read(chosen)
        }
        return try reader.finish()
    }

    /// The task that a resolved configuration names; nil for one from before there was a choice.
    static func taskName(ofResolved yaml: String) throws -> String? {
        try Yams.compose(yaml: yaml)?.mapping?["task"]?.string
    }

    /// All files and folders that are named, by key: what must be there before a run can begin, but for its own directory.
    package var namedPaths: [(key: String, path: FilePath)] {
        let schema = schema
        return schema.settings.filter { $0.isPath && $0.path != "run.directory" && schema.isPresent($0, in: self) }
            .flatMap { setting in
                let text = setting.write(self)
                // What is written of a path reads back as one; null is none.
                guard let node = try? Node(yaml: text) else { preconditionFailure("'\(text)' is no YAML") }
                return ([FilePath](yaml: node) ?? []).filter { !$0.isEmpty }.map { (setting.path, $0) }
            }
    }
}
