import Files
package import Settings
package import SystemPackage

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
        file: FilePath?, roots: [String] = [], overrides: [String] = [], task: any TaskSettings.Type
    ) throws -> LoadedConfiguration {
        guard let file else { return try parse(yaml: "", name: "", roots: roots, overrides: overrides, task: task) }
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
        return try parse(yaml: text, name: file.shown, roots: roots, overrides: overrides, task: task)
    }

    /// Reads YAML text, which may have the keys of `task`; `name` stands for the file in messages.
    package static func parse(
        yaml: String, name: String, roots: [String] = [], overrides: [String] = [], task: any TaskSettings.Type
    ) throws -> LoadedConfiguration {
        var reader = ConfigurationReader(task: task.init())
        reader.readFile(yaml, name: name)
        if !roots.isEmpty { reader.readRoots(roots) }
        for override in overrides { reader.readOverride(override) }
        return try reader.finish()
    }
}
