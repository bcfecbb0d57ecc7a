import DenseTasks
import NeuralNetwork
import Settings
import SystemPackage
import Testing
import Yams

@Suite struct DetectionSettingsTests {
    @Test func defaultsFollowOtherKeys() {
        var settings = DetectionSettings()
        (settings.model.levels, settings.model.convention, settings.views.maximumSize) = (.p3ToP5, .torchvision, 512)
        settings.completeDefaults(except: [])
        #expect(settings.model.sizeRanges.ends == [64, 128] && settings.rule.threshold == 0.2)
        #expect(settings.views.minimumSize == 512 && settings.views.longestSide == 853)
        var given = DetectionSettings()
        given.completeDefaults(except: [
            "detection.sizeRanges", "data.minimumSize", "data.longestSide", "evaluation.threshold",
        ])
        #expect(given == DetectionSettings())
        given.completeDefaults(except: [])
        #expect(given == DetectionSettings())
    }

    @Test func levelsAndRangesAreReadFromLists() throws {
        func levels(_ text: String) throws -> [Int]? { DetectorLevels(yaml: try Node(yaml: text))?.numbers }
        #expect(try levels("[3, 4, 5]") == [3, 4, 5] && levels("[3, 4, 5, 6, 7]") == [3, 4, 5, 6, 7])
        for text in ["[4, 5]", "[3, 4, 5, 6]", "[]", "5", "null", "[three]"] { #expect(try levels(text) == nil) }
        func ranges(_ text: String) throws -> [Double]? { SizeRanges(yaml: try Node(yaml: text))?.ends }
        #expect(try ranges("[48, 96.5]") == [48, 96.5])
        for text in ["[96, 48]", "[64, 64]", "[0, 1]", "[-1]", "64", "[inf]"] { #expect(try ranges(text) == nil) }
        #expect(DetectorLevels.p3ToP5.yaml == "[3, 4, 5]" && SizeRanges([48, 96])?.yaml == "[48.0, 96.0]")
    }

    @Test func contradictionsAreNamed() {
        func messages(_ change: (inout DetectionSettings) -> Void) -> [String] {
            var settings = DetectionSettings()
            settings.data.annotations = "instances.json"
            change(&settings)
            return settings.contradictions { $0 }.map(\.message)
        }
        #expect(messages { _ in }.isEmpty)
        for (words, change) in [
            ("detection.channels 48", { $0.model.channels = 48 }),
            ("has 4 ends for 3 levels", { $0.model.levels = .p3ToP5 }),
            ("data.minimumSize 900 is above", { $0.views.minimumSize = 900 }),
            ("data.longestSide 700 is below", { $0.views.longestSide = 700 }),
            ("data.annotations is not set", { $0.data.annotations = nil }),
            ("evaluation.validation.annotations is not set", { $0.validation = .init() }),
        ] as [(String, (inout DetectionSettings) -> Void)] {
            let found = messages(change)
            #expect(found.count == 1 && found[0].contains(words), "\(words): \(found)")
        }
        #expect(messages { ($0.data.format, $0.data.annotations, $0.validation) = (.voc, nil, .init()) }.isEmpty)
    }

    @Test func parametersAreCountedBeforeThereIsADetector() {
        var settings = DetectionSettings()
        (settings.model.architecture, settings.model.channels, settings.model.towerDepth) = (.resnet18, 64, 2)
        let count = settings.parameterCount
        settings.model.trunkStatistics = .frozen
        // γ and β of a ResNet-18.
        #expect(count - settings.parameterCount == 9600)
        #expect(settings.activationBytesPerImage > 40_000_000)
    }
}
