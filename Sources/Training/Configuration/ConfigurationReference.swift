package import Settings

/// The headings under which keys are listed for people, in their order.
private enum KeyGroup: String, CaseIterable {
    case run = "the run and its files"
    case pictures = "pictures"
    case learning = "the network and what it learns"
    case schedule = "schedule and batch"
    case scores = "scores"
    case machine = "the machine and its faults"

    /// - Parameter section: a path such as `data.augmentation`; "" for keys without one.
    init(of section: String) {
        switch section.prefix(while: { $0 != "." }) {
        case "", "run", "checkpoint", "log": self = .run
        case "data": self = .pictures
        case "schedule", "batch": self = .schedule
        case "evaluation": self = .scores
        case "parallel", "numbers", "watchdog": self = .machine
        // The sections of tasks.
        default: self = .learning
        }
    }
}

extension RunConfiguration {
    /// Every key of a run of this task with its type, default and meaning, as plain text under headings.
    ///
    /// - Parameter tasks: those that the program knows.
    package static func reference(of task: any TaskSettings.Type, among tasks: [any TaskSettings.Type]) -> String {
        let defaults = RunConfiguration(task: task.init()), schema = defaults.schema(among: tasks.map { $0.name })
        var lines = [
            "Configuration keys (YAML file with --config, or --set key=value)",
            "  '<<: *name' merges a mapping; at the top of the file, keys that begin with x- only hold mappings to merge.",
            "  A path may begin with ~/ for the home folder.",
        ]
        let sections = [nil] + schema.sections.map(Optional.some)
        for group in KeyGroup.allCases {
            let listed = sections.filter { KeyGroup(of: $0?.path ?? "") == group }.flatMap {
                Self.lines(of: $0, schema, defaults)
            }
            if !listed.isEmpty { lines += ["", group.rawValue.uppercased()] + listed }
        }
        if !task.notes.isEmpty { lines += [""] + task.notes }
        return lines.joined(separator: "\n") + "\n"
    }

    /// - Parameter section: nil for keys without one.
    private static func lines(
        of section: Section<RunConfiguration>?, _ schema: Schema<RunConfiguration>, _ defaults: RunConfiguration
    ) -> [String] {
        let settings = schema.settings.filter { $0.parent == section?.path ?? "" }
        guard !settings.isEmpty || section?.setPresent != nil else { return [] }
        return (section.map { ["", "\($0.path): \($0.summary)"] } ?? [""])
            + settings.flatMap { setting in
                let value =
                    setting.isRequired ? "required" : "default \(schema.defaultValue(of: setting, in: defaults))"
                return ["  \(setting.path): \(setting.expectation), \(value)", "      \(setting.summary)"]
            }
    }
}
