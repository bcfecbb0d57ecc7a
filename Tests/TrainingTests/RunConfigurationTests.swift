import DataParallel
import Foundation
import NeuralNetwork
import PixelLearning
import Settings
import SystemPackage
import TensorCore
import Testing
import Training

/// The problems of YAML text and overrides, as they are printed.
private func problems(_ yaml: String, _ overrides: [String] = []) -> String {
    do {
        _ = try RunConfiguration.parse(yaml: yaml, name: "run.yaml", overrides: overrides)
        return ""
    } catch {
        return "\(error)"
    }
}

func parse(_ yaml: String, _ overrides: [String] = []) throws -> RunConfiguration {
    try RunConfiguration.parse(yaml: yaml, name: "run.yaml", overrides: overrides).configuration
}

@Suite struct RunConfigurationTests {
    @Test func emptyFileGivesTheDefaults() throws {
        #expect(try parse("") == RunConfiguration())
        #expect(try parse("# nothing\nrun:\ndata:\n") == RunConfiguration())
        let defaults = RunConfiguration()
        #expect(defaults.pretraining.optimizer.weightDecay == 1e-5)
        #expect(defaults.batch.global == 1024)
        #expect(defaults.pretraining.model.projectorWidth == 4096)
        #expect(defaults.data.workers == .auto)
    }

    @Test func everyTypeIsRead() throws {
        let configuration = try parse(
            """
            run: {directory: 2024, seed: 7}
            data:
              roots: [a, "b c"]
              workers: 3
            model: {architecture: resnet18}
            optimizer: {name: sgd, weightDecay: 1e-4, momentum: 0}
            schedule: {epochs: 2_000, steps: 20}
            batch: {perRank: 4}
            parallel: {oversubscribe: true, communication: inline}
            evaluation:
              segmentation:
                train: {images: a/i, labels: a/l}
                validation: {images: b/i, labels: b/l}
                classes: 11
                void: 11
            """)
        #expect(configuration.run.directory == "2024")
        #expect(configuration.data.roots == ["a", "b c"])
        #expect(configuration.data.workers == .count(3))
        #expect(configuration.pretraining.model.architecture == .resnet18)
        #expect(configuration.pretraining.optimizer.name == .sgd)
        #expect(configuration.pretraining.optimizer.weightDecay == 1e-4)
        #expect(configuration.pretraining.optimizer.momentum == 0)
        #expect(configuration.schedule.epochs == 2000)
        #expect(configuration.schedule.steps == 20)
        #expect(configuration.batch.size == .perRank(4))
        #expect(configuration.parallel.oversubscribe)
        #expect(configuration.parallel.communication == .inline)
        #expect(configuration.pretraining.evaluation.segmentation?.validation.labels == "b/l")
        #expect(configuration.pretraining.evaluation.segmentation?.void == 11)
        #expect(try parse("data: {roots: one}").data.roots == ["one"])
    }

    @Test func overridesWinOverTheFile() throws {
        let configuration = try parse(
            "optimizer: {momentum: 0.8}\nevaluation: {classification: null}",
            [
                "optimizer.momentum=0.5", "data.roots=[x, y]", "schedule.steps = 3", "batch={perRank: 2}",
                "evaluation.classification.train=t", "evaluation.classification.validation=v",
            ])
        #expect(configuration.pretraining.optimizer.momentum == 0.5)
        #expect(configuration.data.roots == ["x", "y"])
        #expect(configuration.schedule.steps == 3)
        #expect(configuration.batch.size == .perRank(2))
        #expect(configuration.pretraining.evaluation.classification == .init(train: "t", validation: "v"))
        let cleared = try parse(
            "evaluation: {classification: {train: a, validation: b}}\nbatch: {global: 8}",
            ["evaluation.classification=null", "batch.global=null", "batch.perRank=2"])
        #expect(cleared.pretraining.evaluation.classification == nil)
        #expect(cleared.batch.size == .perRank(2))
    }

    @Test func originsNameFileAndOverride() throws {
        let loaded = try RunConfiguration.parse(
            yaml: "run:\n  seed: 4\n", name: "run.yaml", overrides: ["schedule.epochs=9"])
        #expect(loaded.origins == ["run.seed": "run.yaml:2:9", "schedule.epochs": "--set schedule.epochs=9"])
    }

    @Test func theDialectDecidesDefaultsThatAreNotSet() throws {
        #expect(try parse("method: {dialect: paper}").pretraining.model.projectorWidth == 2048)
        #expect(
            try parse("method: {dialect: paper}\nmodel: {projectorWidth: 512}").pretraining.model.projectorWidth == 512)
        #expect(RunConfiguration.reference.contains("official: 4096\n      paper:    2048"))
    }

    @Test func resolvedYAMLReadsBackEqual() throws {
        var configuration = try parse(
            """
            run: {directory: "my runs/# one: 'two' \\"three\\" \\u00e4"}
            data: {roots: ["true", "12", "- a", "b\\tc"], minimumCrop: 0.1}
            method: {dialect: paper, gamma: 0.3333333333333333}
            optimizer: {weightDecay: 1.0e-7}
            schedule: {steps: 5}
            batch: {perRank: 12, microBatch: 4}
            evaluation: {classification: {train: a, validation: b}, correspondence: false}
            """)
        #expect(try parse(configuration.yaml()) == configuration)
        let odd: [FilePath] = ["\u{2028}a\u{2029}", "\u{85}\r\n\\", "yes", "~", "#", "a: b", "'", "日本/é", " x "]
        configuration.data.roots = odd
        #expect(try parse(configuration.yaml()).data.roots == configuration.data.roots)
        configuration.pretraining.evaluation.segmentation = .init()
        configuration.pretraining.evaluation.segmentation?.train = .init(images: "i", labels: "l")
        configuration.pretraining.evaluation.segmentation?.validation = .init(images: "j", labels: "m")
        configuration.pretraining.evaluation.segmentation?.classes = 3
        configuration.pretraining.evaluation.segmentation?.void = nil
        #expect(try parse(configuration.yaml(origins: ["run.seed": "x.yaml:1:1"])) == configuration)
        #expect(try parse(RunConfiguration().yaml()) == RunConfiguration())
    }

    @Test func referenceNamesEveryKey() {
        let reference = RunConfiguration.reference
        for line in RunConfiguration().yaml().split(separator: "\n") {
            let key = line.prefix { $0 != ":" }.filter { $0 != " " }
            #expect(reference.contains(key), "\(key)")
        }
        #expect(reference.contains("optimizer.momentum: a number >= 0.0 and < 1.0, default 0.9"))
        #expect(reference.contains("schedule.steps: a whole number from 1 to 1000000000 or null, default null"))
        #expect(reference.contains("optimizer.weightDecay: a number from 0.0 to 10.0, default 1.0e-05"))
        #expect(reference.contains("evaluation.segmentation.classes: a whole number from 2 to 256, required"))
    }

    @Test(arguments: [
        "quickstart", "small-data", "pixpro-resnet50-100ep", "pixpro-resnet50-400ep", "pixcontrast-resnet50-100ep",
        "pixpro-instance-resnet50-100ep",
    ])
    func shippedConfigurationsLoad(_ name: String) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appending(path: "configs/\(name).yaml").path
        let configuration = try RunConfiguration.load(file: FilePath(file)).configuration
        if name.contains("resnet50") {
            var published = RunConfiguration()
            published.run.directory = configuration.run.directory
            published.data.roots = configuration.data.roots
            published.schedule.epochs = name.hasSuffix("100ep") ? 100 : 400
            published.evaluation.everyEpochs = configuration.evaluation.everyEpochs
            published.log = configuration.log
            if name.hasPrefix("pixcontrast") { published.pretraining.model.method = .pixcontrast }
            if name.contains("instance") { published.pretraining.model.instance.kind = .byol }
            #expect(configuration == published)
        }
        _ = try BatchPlan(configuration: configuration, ranks: 2)
    }
}

@Suite struct ConfigurationErrorTests {
    @Test func aMistypedKeyNamesTheNearest() {
        #expect(
            problems("optimizer:\n  momentm: 0.5\n")
                == "run.yaml:2:3: unknown key 'optimizer.momentm'\n  did you mean 'optimizer.momentum' (default 0.9)?")
        let section = problems("run: {seed: 2}\noptimiser:\n  momentm: 0.5\n  weightDecay: 0\n")
        #expect(
            section
                == """
                run.yaml:2:1: unknown section 'optimiser'
                  did you mean 'optimizer'?
                run.yaml:3:3: unknown key 'optimiser.momentm'
                  did you mean 'optimizer.momentum' (default 0.9)?
                """)
    }

    @Test(arguments: [
        ("lr: 1", "optimizer.baseLearningRate"), ("optimizer: {learning_rate: 1}", "optimizer.baseLearningRate"),
        ("epochs: 3", "schedule.epochs"), ("batch: {batch_size: 3}", "batch.global"),
        ("data: {image_size: 64}", "data.imageSize"), ("model: {momentum: 0.5}", "optimizer.momentum"),
        ("model: {arch: resnet18}", "model.architecture"), ("checkpoint: {keeep: 2}", "checkpoint.keep"),
        ("evaluation: {segmentation: {ignoreIndex: 3}}", "evaluation.segmentation.void"),
    ])
    func otherProgramsNamesFindTheKey(_ yaml: String, _ key: String) {
        #expect(problems(yaml).contains("did you mean '\(key)'"), "\(problems(yaml))")
    }

    @Test func aKeyLikeNoOtherListsWhatThereIs() {
        let text = problems("log: {colourOfTheSky: blue}\n")
        #expect(text.contains("the keys of 'log' are everySeconds, everySteps"), "\(text)")
        #expect(problems("logs: 3").contains("did you mean 'log'?"), "\(problems("logs: 3"))")
        #expect(problems("wonderful: 3").contains("run, data, model, method"), "\(problems("wonderful: 3"))")
    }

    @Test(arguments: [
        ("run: {seed: -1}", "run.yaml:1:13: 'run.seed' must be a whole number >= 0, not '-1'"),
        ("run: {seed: 1.5}", "must be a whole number >= 0, not '1.5'"),
        ("run: {seed: '1'}", "not the text \"1\""),
        ("run: {directory: }", "'run.directory' must be text that is not empty, not empty"),
        ("data: {roots: []}", "with at least one entry"),
        ("data: {roots: [a, [b]]}", "must be text or a list of texts"),
        ("data: {imageSize: 16}", "must be a whole number from 32 to 2048, not '16'"),
        ("data: {workers: many}", "must be auto or a whole number from 0 to 256, not 'many'"),
        ("data: {minimumCrop: 0}", "> 0.0 and <= 1.0"),
        ("optimizer: {momentum: nan}", "must be a number"),
        ("optimizer: {momentum: 1}", ">= 0.0 and < 1.0, not '1'"),
        ("optimizer: {name: adam}", "must be lars or sgd, not 'adam'"),
        ("model: {architecture: resnet9}", "resnet18, resnet34, resnet50, resnet101 or resnet152"),
        ("model: {architecture: tiny}", "must be resnet18, resnet34, resnet50, resnet101 or resnet152, not 'tiny'"),
        ("parallel: {oversubscribe: maybe}", "true or false"),
        ("schedule: {epochs: null}", "must be a whole number from 1 to 1000000, not null"),
        ("schedule: {epochs: [1]}", "not a list"), ("schedule: {epochs: {a: 1}}", "not a section"),
        ("optimizer: 5", "run.yaml:1:12: 'optimizer' is a section, not a value"),
        ("precision: float16", "run.yaml:1:12: 'precision' must be auto, float32 or bfloat16, not 'float16'"),
    ])
    func aValueThatDoesNotFitSaysWhatWould(_ yaml: String, _ message: String) {
        #expect(problems(yaml).contains(message), "\(problems(yaml))")
    }

    @Test func everythingWrongIsReportedAtOnce() {
        let text = problems(
            "run: {sed: 1}\ndata: {imageSize: big}\nbatch: {global: 8, perRank: 2}\n",
            ["optimizer.momentum=2", "nonsense", "schedule.epohcs=3"])
        for part in [
            "run.yaml:1:7: unknown key 'run.sed'", "run.yaml:2:19: 'data.imageSize' must be",
            "run.yaml:3:29: 'batch.perRank' and 'batch.global' (run.yaml:3:17) are both set",
            "--set optimizer.momentum=2: 'optimizer.momentum' must be", "--set nonsense: not of the form key=value",
            "--set schedule.epohcs=3: unknown key 'schedule.epohcs'",
        ] { #expect(text.contains(part), "\(part) in\n\(text)") }
    }

    @Test func filesThatAreNotConfigurations() {
        #expect(problems("run: {seed: 1\ndata: [").contains("not valid YAML"))
        #expect(problems("run: {seed: 1\ndata: [").contains("run.yaml:"))
        #expect(problems("a: b: c").hasPrefix("run.yaml:1:"), "\(problems("a: b: c"))")
        #expect(problems("- 1\n- 2").contains("not a mapping"))
        #expect(problems("run: {seed: 1, seed: 2}").contains("given twice"), "\(problems("run: {seed: 1, seed: 2}"))")
        #expect(problems("", ["run.seed=["]).contains("--set run.seed=["))
        #expect(throws: ConfigurationError.self) { try RunConfiguration.load(file: "/nonexistent/run.yaml") }
        do {
            _ = try RunConfiguration.load(file: "/nonexistent/run.yaml")
        } catch {
            #expect(
                "\(error)".contains(
                    "/nonexistent/run.yaml: the configuration cannot be read: cannot open the file: No such file"))
        }
    }

    @Test func aPictureIsNoConfiguration() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "pixpro-\(UUID().uuidString).yaml")
        try Data([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0xff, 0xfe]).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }  // only litter in the temporary folder
        let error = #expect(throws: ConfigurationError.self) { try RunConfiguration.load(file: FilePath(file.path)) }
        #expect(error?.description.contains("not a text file") == true)
    }

    @Test func keysThatContradictEachOther() {
        #expect(problems("schedule: {epochs: 3}").contains("5 warm-up epochs leave nothing of 3 epochs"))
        #expect(problems("batch: {global: null}").contains("'batch.perRank' is not set"))
        let segmentation = problems("evaluation: {segmentation: {train: {images: a}, classes: 4, void: 2}}")
        #expect(segmentation.contains("lacks 'evaluation.segmentation.train.labels'"), "\(segmentation)")
        #expect(
            problems(
                "evaluation: {segmentation: {train: {images: a, labels: a}, validation: {images: a, labels: a}, "
                    + "classes: 4, void: 2}}"
            ).contains("void 2 is one of the 4 classes"))
    }
}

@Suite struct ConfigurationDifferenceTests {
    @Test func differencesSayWhatTheyMeanForAResume() throws {
        let saved = try parse("run: {directory: a}\nbatch: {global: 64}")
        let now = try parse(
            "run: {directory: b}\nbatch: {perRank: 8}\nmodel: {architecture: resnet18}\n"
                + "evaluation: {classification: {train: t, validation: v}}")
        let differences = now.differences(from: saved)
        #expect(
            differences.map(\.key) == [
                "run.directory", "model.architecture", "evaluation.classification.train",
                "evaluation.classification.validation", "batch.global", "batch.perRank",
            ])
        #expect(differences.first { $0.key == "model.architecture" }?.rule == .mustMatch)
        #expect(differences.first { $0.key == "run.directory" }?.rule == .free)
        #expect(differences.first { $0.key == "batch.perRank" }?.rule == .changesTraining)
        #expect(differences.first { $0.key == "batch.perRank" }?.description == "batch.perRank: null became 8")
        #expect(now.differences(from: now).isEmpty)
    }
}
