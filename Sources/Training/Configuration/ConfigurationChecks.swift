import Settings

extension RunConfiguration {
    /// What keys say against each other; each key alone is in its range.
    ///
    /// - Parameter place: where a key was set, for messages.
    func contradictions(place: (String) -> String) -> [ConfigurationError.Problem] {
        var problems: [ConfigurationError.Problem] = []
        if schedule.warmupEpochs >= schedule.epochs {
            problems.append(
                .init(
                    place("schedule.warmupEpochs"),
                    "\(schedule.warmupEpochs) warm-up epochs leave nothing of \(schedule.epochs) epochs",
                    remedy: "set schedule.warmupEpochs below schedule.epochs (0 trains without warm-up)"))
        }
        return problems + task.contradictions(place: place)
    }
}
