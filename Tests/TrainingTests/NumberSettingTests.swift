import DataParallel
import Foundation
import ImagePipeline
import PixelLearning
import Settings
import TensorCore
import TestSupport
import Testing
import Training

/// A key as the reference has it.
private struct Key: Sendable, CustomTestStringConvertible {
    let path: String
    let expectation: String
    var testDescription: String { path }

    /// Every key.
    static let all: [Key] = RunConfiguration.reference.split(separator: "\n").compactMap { line in
        guard let match = line.wholeMatch(of: /\ \ ([a-z][\w.]*): (.+), (?:default .*|required)/) else { return nil }
        return Key(path: String(match.1), expectation: String(match.2))
    }

    var isNumber: Bool { expectation.contains("number") }

    /// The largest value that the range names.
    var largest: String? {
        expectation.firstMatch(of: /(?:to|<=|<) ([\d.]+)/).map { String($0.1) }
    }

    /// What else the key's section needs.
    var company: [String] {
        guard path.hasPrefix("evaluation.segmentation.") else { return [] }
        return [
            "train.images=a", "train.labels=a", "validation.images=a", "validation.labels=a", "classes=9", "void=null",
        ]
        .map { "evaluation.segmentation." + $0 }
    }
}

/// Plans all that a run's configuration decides; what cannot be planned is an error, and never a trap.
private func plan(_ configuration: RunConfiguration) throws {
    for ranks in [1, 3, 1_000_000] {
        for memory in [1, 8 << 30] {
            do {
                _ = try BatchPlan(configuration: configuration, ranks: ranks, memoryPerRank: memory)
            } catch is ConfigurationError {}
        }
        do { _ = try BatchPlan.mostRanks(configuration, available: ranks) } catch is ConfigurationError {}
    }
    for mask in [CoreMask(cores: [0]), CoreMask(cores: Array(0..<200), quota: 1e-9)] {
        do {
            _ = try CorePlan(masks: [mask, mask], ranksInJob: 1_000_000, configuration: configuration).summary
        } catch is ConfigurationError {}
    }
    _ = configuration.pretraining.views.transform(seed: 1).draw(
        view: 0, width: 1 << 16, height: 1, epoch: 1 << 40, sample: 1 << 40)
}

@Suite struct NumberSettingTests {
    static let extremes = [
        "9223372036854775807", "-9223372036854775808", "99999999999999999999", "0", "-0", "1", "-1", "1e300", "-1e300",
        "1e-300",
        "nan", "inf", "-inf", "0.5",
    ]

    @Test(arguments: Key.all)
    fileprivate func noNumberOfAKeyTraps(_ key: Key) throws {
        #expect(Key.all.count > 50, "the reference is not read")
        for value in Self.extremes + [key.largest].compactMap(\.self) {
            do {
                let loaded = try RunConfiguration.parse(
                    yaml: "", name: "", overrides: key.company + ["\(key.path)=\(value)"])
                try plan(loaded.configuration)
                #expect(
                    try RunConfiguration.parse(yaml: loaded.configuration.yaml(), name: "").configuration
                        == loaded.configuration)
            } catch let error as ConfigurationError {
                #expect("\(error)".contains(key.path), "\(error)")
            }
        }
    }

    @Test(arguments: Key.all.filter(\.isNumber))
    fileprivate func everyNumberHasALargest(_ key: Key) throws {
        // Any seed is one.
        guard key.path != "run.seed" else { return }
        let largest = try #require(key.largest, "\(key.expectation)")
        let above = largest.contains(".") ? "\(Double(largest)! + 1)" : "\(Int(largest)! + 1)"
        for value in [above, "9223372036854775807", "-1"] {
            let error = #expect(throws: ConfigurationError.self) {
                try RunConfiguration.parse(yaml: "", name: "", overrides: key.company + ["\(key.path)=\(value)"])
            }
            #expect(
                error?.description.contains("'\(key.path)' must be \(key.expectation), not '\(value)'") == true,
                "\(value)")
        }
    }

    @Test func allNumbersAtTheirLargestArePlanned() throws {
        let settings = Key.all.filter { $0.isNumber && $0.path != "batch.perRank" && !$0.path.contains("evaluation") }
            .compactMap { key in
                key.largest.map { largest in
                    let value = key.expectation.contains("<") && largest == "1.0" ? "0.5" : largest
                    let isList = key.expectation.contains("list of three")
                    return "\(key.path)=" + (isList ? "[\(value), \(value), \(value)]" : value)
                }
            }
        for batch in [[], ["batch.global=null", "batch.perRank=1048576"]] {
            let loaded = try RunConfiguration.parse(
                yaml: "", name: "",
                overrides: settings + ["schedule.warmupEpochs=999999", "method.pyramid.levels=[2, 3, 4, 5]"] + batch)
            #expect(loaded.configuration.pretraining.views.imageSize == 2048)
            try plan(loaded.configuration)
        }
    }

    @Test func theMostRanksOfALargeBatchAreFoundAtOnce() throws {
        func most(_ settings: [String], _ available: Int) throws -> Int {
            try BatchPlan.mostRanks(
                RunConfiguration.parse(yaml: "", name: "", overrides: settings).configuration, available: available)
        }
        #expect(try most(["batch.global=1048573"], 1_000_000) == 1_000_000)
        #expect(try most(["batch.global=1048573", "batch.microBatch=2"], 500_000) == 500_000)
        #expect(try most(["batch.global=1024"], 31) == 31)
        #expect(try most(["batch.global=24"], 32) == 24)
        #expect(try most(["batch.global=25", "batch.microBatch=1"], 4) == 1)
        #expect(try most(["batch.perRank=3", "batch.global=null"], 7) == 7)
    }
}

@Suite struct AugmentationSettingTests {
    private let keys = Key.all.filter { $0.path.hasPrefix("data.augmentation.") || $0.path == "data.minimumCrop" }

    @Test func everyKeyChangesTheViewsAndWarnsOnResume() throws {
        let values = [
            "data.minimumCrop": "0.5", "data.augmentation.maximumCrop": "0.4", "data.augmentation.minimumAspect": "1",
            "data.augmentation.maximumAspect": "3", "data.augmentation.hue": "0.4",
            "data.augmentation.minimumBlur": "1",
            "data.augmentation.maximumBlur": "1", "data.augmentation.view1.blur": "0", "data.augmentation.flip": "1",
        ]
        let pixels = (0..<60 * 50 * 3).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 3) }
        let bytes = try encodePNG(rgb: pixels, width: 60, height: 50)
        func views(_ configuration: RunConfiguration) throws -> [Float] {
            try (0..<30).flatMap { sample in
                let batch = try configuration.pretraining.views.transform(seed: 1).views(
                    of: bytes, epoch: 0, sample: sample)
                return batch.view1.array + batch.view2.array
            }
        }
        let small = ["data.imageSize=32"]
        let defaults = try RunConfiguration.parse(yaml: "", name: "", overrides: small).configuration
        let reference = try views(defaults)
        #expect(keys.count == 18)
        for key in keys {
            let value = values[key.path] ?? "0.9"
            let changed = try RunConfiguration.parse(yaml: "", name: "", overrides: small + ["\(key.path)=\(value)"])
                .configuration
            #expect(try views(changed) != reference, "\(key.path)")
            let differences = changed.differences(from: defaults)
            #expect(differences.map(\.key) == [key.path] && differences.allSatisfy { $0.rule == .changesTraining })
        }
    }

    @Test func rangesThatAreUpsideDownAreNamed() {
        for (override, words) in [
            ("data.minimumCrop=0.9", "data.minimumCrop 0.9 is above data.augmentation.maximumCrop 0.5"),
            ("data.augmentation.minimumAspect=2", "2.0 is above data.augmentation.maximumAspect 1.3333333333333333"),
            ("data.augmentation.minimumBlur=3", "data.augmentation.minimumBlur 3.0 is above"),
        ] {
            let error = #expect(throws: ConfigurationError.self) {
                try RunConfiguration.parse(
                    yaml: "", name: "", overrides: ["data.augmentation.maximumCrop=0.5", override])
            }
            #expect(
                error?.description.contains(words) == true && error?.description.contains("--set \(override)") == true)
        }
    }

    @Test func theDefaultsAreThePublishedRecipes() {
        #expect(PretrainingSettings().views.augmentation == Augmentation())
        let reference = RunConfiguration.reference
        for line in [
            "data.augmentation.view1.blur: a number from 0.0 to 1.0, default 1.0",
            "data.augmentation.view2.blur: a number from 0.0 to 1.0, default 0.1",
            "data.augmentation.view1.solarize: a number from 0.0 to 1.0, default 0.0",
            "data.augmentation.view2.solarize: a number from 0.0 to 1.0, default 0.2",
        ] { #expect(reference.contains(line)) }
    }
}
