import Files
import Foundation
import PixelLearning
import Settings
import SystemPackage
import TensorCore
import Testing
import Training

/// What `--set key=value` makes of the key, or the problem.
private func load(_ override: String, yaml: String = "") -> Result<RunConfiguration, ConfigurationError> {
    Result { () throws(ConfigurationError) in
        do {
            return try RunConfiguration.parse(yaml: yaml, name: "run.yaml", overrides: [override]).configuration
        } catch let error as ConfigurationError {
            throw error
        } catch {
            preconditionFailure("\(error)")
        }
    }
}

private func directory(_ value: String) throws -> String {
    try load("run.directory=\(value)").get().run.directory.text
}
private func problem(_ override: String, yaml: String = "") -> String {
    switch load(override, yaml: yaml) {
    case .success: ""
    case .failure(let error): error.description
    }
}

private let home = ProcessInfo.processInfo.environment["HOME"] ?? ""

@Suite struct TextSettingTests {
    @Test(arguments: [
        "runs/exp #2", "a\nb", "&x y", "*x", "!tag", "a: b", "{a}", "[a", "- a", "%a", "@a", "`a`", "|", ">", "? a",
        "#", "a # b",
        "null", "yes", "1e3", " a", "a ", "\ta", "'", "\"", "'a", "'a' b", "\"a\" # \"b\"", "a\\b", "\u{1b}[31m",
        "日本/é/😀",
        "a=b", "\u{feff}x", "--- a", "...", "e\u{301}",
    ])
    func textOfAnOverrideIsTakenAsItIs(_ text: String) throws {
        #expect(Array(try directory(text).utf8) == Array(text.utf8))
        #expect(try load("data.roots=\(text)").get().data.roots.map(\.text) == [text])
    }

    @Test func quotedScalarsAndListsAreYAML() throws {
        #expect(try directory("\"a\\tb #\"") == "a\tb #")
        #expect(try directory("'it''s'") == "it's")
        #expect(try load("data.roots=[a b, \"c, d\", 'e']").get().data.roots == ["a b", "c, d", "e"])
        #expect(try load("run.directory = runs/a").get().run.directory == "runs/a")
        #expect(try load("data.roots=[2024] pictures").get().data.roots == ["[2024] pictures"])
        #expect(problem("data.roots=[\"a]").contains("not valid YAML"))
        #expect(problem("run.directory=\"a\\qb\"").contains("not valid YAML"))
        #expect(problem("run.directory=").contains("that is not empty, not the text \"\""))
    }

    @Test func aKeyIsNamedBeforeItsValueIsRead() {
        #expect(problem("run.directry=a: b: [").contains("did you mean 'run.directory'"))
        #expect(problem("optimiser={momentum: 0.5}").contains("did you mean 'optimizer'"))
    }

    @Test func imageFoldersOfTheCommandLineAreText() throws {
        let odd = ["a #b", "\"quoted\"", "[x]", "~/x", "null", "a\nb"]
        let loaded = try RunConfiguration.parse(yaml: "data: {roots: z}", name: "run.yaml", roots: odd)
        #expect(loaded.configuration.data.roots.map(\.text) == odd.map { $0 == "~/x" ? home + "/x" : $0 })
        #expect(loaded.origins["data.roots"] == "image folders")
        let overridden = try RunConfiguration.parse(yaml: "", name: "", roots: ["a"], overrides: ["data.roots=b"])
        #expect(overridden.configuration.data.roots == ["b"])
    }

    @Test(.enabled(if: home.hasPrefix("/") && home.count > 1, "needs a home folder"))
    func theHomeFolderIsExpanded() throws {
        #expect(try directory("~/runs") == home + "/runs")
        #expect(try directory("~") == home)
        #expect(try directory("\"~/a b\"") == home + "/a b")
        #expect(try directory("./~") == "./~")
        #expect(try directory("a~/b") == "a~/b")
        let yaml =
            "run: {directory: ~/runs}\ndata: {roots: [~/a, '~/b', c]}\n"
            + "evaluation: {classification: {train: ~/t, validation: \"~/v\"}}"
        let configuration = try RunConfiguration.parse(yaml: yaml, name: "").configuration
        #expect(configuration.run.directory.text == home + "/runs")
        #expect(configuration.data.roots.map(\.text) == [home + "/a", home + "/b", "c"])
        #expect(
            configuration.pretraining.evaluation.classification
                == .init(train: FilePath(text: home + "/t"), validation: FilePath(text: home + "/v")))
        #expect(
            try RunConfiguration.parse(yaml: "data: {roots: ~/a}", name: "").configuration.data.roots.map(\.text)
                == [home + "/a"])
    }

    @Test func anotherUsersHomeIsRefused() {
        for override in ["run.directory=~bob/runs", "data.roots=~bob/runs", "data.roots=[a, ~bob/runs]"] {
            let text = problem(override)
            #expect(text.contains("only ~/ is understood") && text.contains("./~bob/runs"), "\(text)")
        }
        #expect(problem("log.everySteps=1", yaml: "run: {directory: ~bob}").contains("run.yaml:1:18: 'run.directory'"))
        #expect(problem("log.everySteps=1", yaml: "run: {directory: \"a\\0b\"}").contains("character of value 0"))
    }

    @Test func messagesAreOneLineAndShowControlCharacters() {
        let text = problem("log.everySteps=a\u{1b}[31m\nb")
        #expect(!text.contains("\u{1b}") && text.contains("\\x1B[31m\\nb"), "\(text)")
        #expect(!problem("log.\u{7}x\u{1b}=1").contains("\u{1b}"))
        #expect(!problem("log.everySteps=1", yaml: "\"a\\eb\": 1").contains("\u{1b}"))
    }

    /// Whatever text a path is, the written configuration reads back equal, byte for byte.
    @Test func everyTextReadsBackFromTheResolvedFile() throws {
        let pieces: [String] =
            (1...0x20).map { String(UnicodeScalar($0)) }
            + [
                "\u{7f}", "\u{80}", "\u{85}", "\u{9f}", "\u{a0}", "\u{ad}", "\u{200b}", "\u{2028}", "\u{2029}",
                "\u{feff}",
                "\u{fffd}", "\u{fffe}", "\u{ffff}", "\u{e000}", "😀", "\u{10ffff}", "e\u{301}", "é", "日", "null", "~",
                "~/", "yes",
                "1e3", "0x1", ".inf", "---", "...", "<<", "\"", "'", "\\", "#", " #", ": ", ":", ", ", "[", "]", "{",
                "}", "&", "*",
                "!", "!!str", "|", ">", "%", "@", "`", "?", "-", "=", "a", "/", ".",
                String(repeating: "x", count: 1100),
            ]
        var generator = KeyedGenerator(16)
        func text() -> String {
            (0...generator.integer(below: 6)).map { _ in pieces[generator.integer(below: pieces.count)] }.joined()
        }
        func path() -> FilePath { FilePath(text: text()) }
        for number in 0..<1500 {
            var configuration = RunConfiguration()
            configuration.run.directory = number < pieces.count ? FilePath(text: pieces[number]) : path()
            configuration.data.roots = (0...generator.integer(below: 3)).map { _ in path() }
            configuration.pretraining.evaluation.classification = .init(train: path(), validation: path())
            let origins = ["run.directory": "--set run.directory=\(text())", "data.roots": text()]
            let yaml = configuration.yaml(origins: origins)
            let read = try RunConfiguration.parse(yaml: yaml, name: "config.resolved.yaml").configuration
            // Few words where it fails: the test's input is a function of its number.
            #expect(read == configuration, "number \(number)")
        }
    }
}

@Suite struct MergeKeyTests {
    private func parse(_ yaml: String) throws -> RunConfiguration {
        try RunConfiguration.parse(yaml: yaml, name: "run.yaml").configuration
    }

    private func problems(_ yaml: String) -> String {
        do {
            _ = try parse(yaml)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func mergedKeysAreReadAndOwnKeysWin() throws {
        let configuration = try parse(
            """
            x-base: &base {momentum: 0.5, weightDecay: 0.01}
            x-more: &more {momentum: 0.6, trustCoefficient: 0.002, baseLearningRate: 3}
            optimizer:
              baseLearningRate: 2
              <<: [*base, *more]
              name: sgd
            evaluation:
              segmentation:
                train: &pictures {images: a, labels: b}
                validation:
                  labels: c
                  <<: *pictures
                classes: 3
            """)
        #expect(configuration.pretraining.optimizer.momentum == 0.5)
        #expect(configuration.pretraining.optimizer.weightDecay == 0.01)
        #expect(configuration.pretraining.optimizer.trustCoefficient == 0.002)
        #expect(configuration.pretraining.optimizer.baseLearningRate == 2)
        #expect(configuration.pretraining.optimizer.name == .sgd)
        #expect(configuration.pretraining.evaluation.segmentation?.validation == .init(images: "a", labels: "c"))
    }

    @Test func mergesMayBeNestedAndAtTheTop() throws {
        let configuration = try parse(
            """
            x-inner: &inner {seed: 3}
            x-outer: &outer {run: {<<: *inner, directory: a}, log: {everySteps: 7}}
            <<: *outer
            log: {everySeconds: 5}
            """)
        #expect(configuration.run.directory == "a" && configuration.run.seed == 3)
        // The section's own mapping stands for the merged one as a whole, as in YAML.
        #expect(configuration.log.everySteps == RunConfiguration().log.everySteps)
        #expect(configuration.log.everySeconds == 5)
    }

    @Test func whatIsWrongInAMergedMappingIsNamedWithItsPlace() {
        let unknown = problems("x-base: &base\n  momentm: 0.5\noptimizer: {<<: *base}\n")
        #expect(unknown.hasPrefix("run.yaml:2:3: unknown key 'optimizer.momentm'"), "\(unknown)")
        let unfit = problems("x-base: &base\n  momentum: 5\noptimizer: {<<: *base}\n")
        #expect(unfit.hasPrefix("run.yaml:2:13: 'optimizer.momentum' must be a number"), "\(unfit)")
        #expect(
            problems("optimizer: {<<: 3}").contains(
                "run.yaml:1:13: '<<' merges a mapping or a list of mappings, not '3'"))
        #expect(problems("x-l: &l [1]\noptimizer: {<<: *l}").contains("'<<' merges a mapping"))
        #expect(problems("optimizer: {\"<<\": {momentum: 0.5}}").contains("1:13: unknown section 'optimizer.<<'"))
        #expect(problems("y-base: {momentum: 0.5}").contains("unknown key 'y-base'"))
    }

    @Test func mergesThatDoubleAreEndedSoon() {
        var yaml = "x-0: &a0 {momentum: 0.5}\n"
        for level in 1...40 { yaml += "x-\(level): &a\(level) {<<: [*a\(level - 1), *a\(level - 1)]}\n" }
        let text = problems(yaml + "optimizer: {<<: *a40}\n")
        #expect(text.contains("more than 1000 mappings are merged"), "\(text)")
    }
}
