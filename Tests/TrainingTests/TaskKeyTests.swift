import PixelLearning
import Settings
import Testing
import Training

/// A second task beside pretraining, with a key of its own.
private struct Knitting: TaskSettings {
    var stitches = 40

    static let name = "knitting"
    static let schema = Schema<Knitting>(
        sections: [Section("needles", "What it is done with.")],
        settings: [Setting("needles.stitches", \.stitches, in: .within(1...400), "Stitches of a row.")])
    let parameterCount = 1
    let activationBytesPerImage = 1
}

@Suite struct TaskKeyTests {
    private static let tasks: [any TaskSettings.Type] = [PretrainingSettings.self, Knitting.self]

    private func parse(_ yaml: String, _ overrides: [String] = []) throws -> RunConfiguration {
        try RunConfiguration.parse(yaml: yaml, name: "run.yaml", overrides: overrides, tasks: Self.tasks).configuration
    }

    private func problems(_ yaml: String, _ overrides: [String] = []) -> String {
        do {
            _ = try parse(yaml, overrides)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func aConfigurationThatNamesNoTaskMeansTheFirst() throws {
        #expect(try parse("run: {seed: 3}").task is PretrainingSettings)
        #expect(try parse("task: pretraining").task is PretrainingSettings)
    }

    @Test func theTaskDecidesWhichKeysThereAre() throws {
        let knitting = try parse("task: knitting\nneedles: {stitches: 12}").settings(Knitting.self)
        #expect(knitting.stitches == 12)
        #expect(
            problems("task: knitting\nmodel: {architecture: resnet18}").contains("unknown key 'model'"))
        #expect(problems("needles: {stitches: 12}").contains("unknown key 'needles'"))
    }

    @Test func anOverrideNamesTheTaskOverTheFile() throws {
        #expect(try parse("task: pretraining", ["task=knitting", "needles.stitches=3"]).task is Knitting)
        #expect(try parse("task: knitting", ["task=pretraining"]).task is PretrainingSettings)
    }

    @Test func anUnknownTaskIsAnErrorThatNamesThoseThereAre() {
        let text = problems("task: detection\nrun: {seed: 1}")
        #expect(
            text.contains("run.yaml:1:7: 'task' must be the name of a task (pretraining, knitting), not 'detection'"),
            "\(text)")
        #expect(problems("task: null").contains("'task' must be"))
        #expect(problems("", ["tsak=knitting"]).contains("did you mean 'task' (default pretraining)?"))
    }

    @Test func theResolvedConfigurationNamesItsTaskAndReadsBackEqual() throws {
        let configuration = try parse("task: knitting", ["needles.stitches=7"])
        let yaml = configuration.yaml()
        #expect(yaml.hasPrefix("task: knitting "), "\(yaml)")
        #expect(try parse(yaml) == configuration)
        #expect(try parse("").yaml().hasPrefix("task: pretraining "))
    }

    @Test func theReferenceIsOfOneTaskAndNamesAll() {
        let text = RunConfiguration.reference(of: Knitting.self, among: Self.tasks)
        #expect(text.contains("task: the name of a task (pretraining, knitting), required"), "\(text)")
        #expect(text.contains("needles.stitches:") && !text.contains("model.architecture"))
    }
}

@Suite struct KeyGroupTests {
    /// Each section once, beneath a heading that says what it is about.
    @Test func theReferenceHasHeadings() throws {
        let lines = RunConfiguration.reference.split(separator: "\n").map(String.init)
        func place(_ start: String) throws -> Int {
            let places = lines.indices.filter { lines[$0].hasPrefix(start) }
            #expect(places.count == 1, "\(start)")
            return try #require(places.first)
        }
        let order = try [
            "THE RUN AND ITS FILES", "  task: ", "run: ", "checkpoint: ", "log: ", "PICTURES", "data: ",
            "THE NETWORK AND WHAT IT LEARNS", "model: ", "optimizer: ", "SCHEDULE AND BATCH", "batch: ", "SCORES",
            "evaluation.classification: ", "THE MACHINE AND ITS FAULTS", "parallel: ", "watchdog: ",
        ].map(place)
        #expect(order == order.sorted(), "\(order)")
    }
}
