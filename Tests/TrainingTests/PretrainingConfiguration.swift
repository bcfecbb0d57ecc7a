import PixelLearning
import Settings
import SystemPackage
import Training

/// Configurations of pretraining, whose keys these tests use.
extension RunConfiguration {
    init() { self.init(task: PretrainingSettings()) }

    var pretraining: PretrainingSettings {
        get { settings(PretrainingSettings.self) }
        set { task = newValue }
    }

    static var reference: String { reference(of: PretrainingSettings.self, among: [PretrainingSettings.self]) }

    static func parse(
        yaml: String, name: String, roots: [String] = [], overrides: [String] = []
    ) throws -> LoadedConfiguration {
        try parse(yaml: yaml, name: name, roots: roots, overrides: overrides, tasks: [PretrainingSettings.self])
    }

    static func load(file: FilePath?, roots: [String] = [], overrides: [String] = []) throws -> LoadedConfiguration {
        try load(file: file, roots: roots, overrides: overrides, tasks: [PretrainingSettings.self])
    }
}
