import ArgumentParser
import MessagePassing
import PixelLearning
import SystemPackage
import TensorCore
import Training

/// How every command is told its configuration.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A YAML file; keys that it leaves out keep their defaults.", valueName: "file"))
    var config: FilePath?

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp("One key over the file, such as batch.global=256; may be repeated.", valueName: "key=value"))
    var set: [String] = []

    /// Reads the configuration on every rank; all ranks throw the same error. Collective.
    func load(_ communicator: any Collective, roots: [String] = []) throws -> LoadedConfiguration {
        try communicator.agree(on: "reading the configuration") {
            try RunConfiguration.load(
                file: config, roots: roots, overrides: set, tasks: tasks)
        }
    }
}
