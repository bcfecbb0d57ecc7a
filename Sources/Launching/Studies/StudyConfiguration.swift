import Files
package import Settings
import SystemPackage
package import Training
import Yams

extension StudyFile {
    /// What `pixpro train` is given for a job: the file's keys, and over them those that the study itself decides.
    private func configuration(of job: Study.Job, tasks: [any TaskSettings.Type]) throws -> LoadedConfiguration {
        let mappings: [Node]
        var own: [(key: String, value: String)] = [("run.directory", FileSystem.absolute(study.run(of: job)).yaml)]
        switch job {
        case .pretraining(let place): mappings = [pretrainings[place]]
        case .fineTuning(let start, let share, let seed):
            mappings = [training] + [startTrainings[start]].compactMap { $0 }
            own += [("run.seed", "\(seed)"), ("data.labelFraction", study.shares[share].fraction.yaml)]
            let weights = study.weights(of: study.starts[start])
            own.append(("model.start", weights.map { FileSystem.absolute($0).yaml } ?? "null"))
        }
        for (key, _) in own {
            guard let node = mappings.lazy.compactMap({ $0.value(at: key) }).first else { continue }
            let place = node.mark.map { "\(name):\($0.line):\($0.column)" } ?? name
            throw ConfigurationError([
                .init(
                    place, "'\(key)' is for the study itself to decide",
                    remedy: "take it out; the study sets it for each run")
            ])
        }
        return try RunConfiguration.parse(
            mappings: mappings, name: name, overrides: own.map { "\($0.key)=\($0.value)" }, tasks: tasks)
    }

    /// The configuration of each job, by its name.
    ///
    /// Throws a `ConfigurationError` with everything that keeps the study from being done, before hours are spent: keys that
    /// are wrong, and files and folders that are not there.
    package func configurations(tasks: [any TaskSettings.Type]) throws -> [String: RunConfiguration] {
        var configurations: [String: RunConfiguration] = [:]
        var problems: [ConfigurationError.Problem] = [], said: Set<String> = []
        // Most jobs have the same faults.
        func add(_ problem: ConfigurationError.Problem) {
            if said.insert(problem.description).inserted { problems.append(problem) }
        }
        for job in study.jobs {
            do {
                let loaded = try configuration(of: job, tasks: tasks), configuration = loaded.configuration
                configurations[study.name(of: job)] = configuration
                for (key, path) in configuration.namedPaths where key != "model.start" || !isMade(by: job) {
                    // A name alone may be one of a part of a layout: of a folder in VOC's, of a list.
                    guard key == "data.roots" || path.string.contains("/"), !FileSystem.exists(path) else { continue }
                    add(
                        .init(
                            loaded.origins[key] ?? name, "\(key) names \(path.shown), which is not there",
                            remedy: "is the path right, seen from the folder in which the study is started?"))
                }
            } catch let error as ConfigurationError {
                for problem in error.problems { add(problem) }
            }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        return configurations
    }

    /// Whether the study itself makes the weights that a job begins with.
    private func isMade(by job: Study.Job) -> Bool {
        if case .fineTuning(let start, _, _) = job { study.starts[start].pretraining != nil } else { false }
    }
}

extension Node {
    /// What a mapping of mappings has at `a.b`.
    fileprivate func value(at path: String) -> Node? {
        path.split(separator: ".").reduce(Optional(self)) { node, key in node?.mapping?[Node(String(key))] }
    }
}
