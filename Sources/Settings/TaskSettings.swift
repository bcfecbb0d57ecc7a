/// What a task lets its user decide: values with their defaults, and the keys under which a configuration has them.
///
/// The keys are mounted beside those of a run: a key of another task is an unknown key.
package protocol TaskSettings: Sendable, Equatable {
    /// What a configuration calls the task: `task: pretraining`.
    static var name: String { get }
    /// The defaults.
    init()
    static var schema: Schema<Self> { get }
    /// What `--keys` says after the keys.
    static var notes: [String] { get }
    /// What a run is like unless its user says otherwise.
    static var usualRun: UsualRun { get }

    /// Gives keys whose default depends on another key that default, except those in `given`.
    mutating func completeDefaults(except given: Set<String>)

    /// What keys say against each other; each key alone is in its range.
    ///
    /// - Parameter place: where a key was set, for messages.
    func contradictions(place: (String) -> String) -> [ConfigurationError.Problem]

    /// Parameters that are trained.
    var parameterCount: Int { get }

    /// About what one image takes in float32 activations during a step, in bytes.
    var activationBytesPerImage: Int { get }

    /// How many times as much it takes where passes are interleaved; 1 for a task that has none to interleave.
    var interleavedActivations: Int { get }
}

/// How long a run usually is, and of what batch.
package struct UsualRun: Sendable, Equatable {
    package let epochs, warmupEpochs, globalBatch: Int

    package init(epochs: Int, warmupEpochs: Int, globalBatch: Int) {
        (self.epochs, self.warmupEpochs, self.globalBatch) = (epochs, warmupEpochs, globalBatch)
    }

    /// As backbones are pretrained.
    package static let pretraining = UsualRun(epochs: 100, warmupEpochs: 5, globalBatch: 1024)
}

extension TaskSettings {
    package static var notes: [String] { [] }
    package static var usualRun: UsualRun { .pretraining }
    package mutating func completeDefaults(except given: Set<String>) {}
    package var interleavedActivations: Int { 1 }
    package func contradictions(place: (String) -> String) -> [ConfigurationError.Problem] { [] }

    func isEqual(_ other: any TaskSettings) -> Bool { other as? Self == self }
}

/// The settings of some task.
package struct AnyTaskSettings: Sendable, Equatable {
    package var value: any TaskSettings

    package init(_ value: any TaskSettings) { self.value = value }

    package static func == (a: AnyTaskSettings, b: AnyTaskSettings) -> Bool { a.value.isEqual(b.value) }
}
