import Foundation
import ImagePipeline
import Inpainting
import Learning
import NeuralNetwork
import Settings
import SystemPackage
import TensorCore
import TestSupport
import Testing

@Suite struct GeneratorTests {
    private func count(_ state: ModelState, _ prefix: String = "") -> Int {
        state.parameters.filter { $0.name.hasPrefix(prefix) }.reduce(0) { $0 + $1.value.count }
    }

    @Test func theModelsHaveThePublishedNumbersOfParameters() {
        var settings = InpainterSettings()
        let whole = Generator(settings, seed: nil).state
        #expect(count(whole) == 3_601_542)
        #expect(count(whole, "generator.coarse.") == 1_448_227 && count(whole, "generator.dilated.") == 880_480)
        #expect(count(whole, "generator.matching.") + count(whole, "generator.attended.") == 695_968)
        #expect(count(whole, "generator.decoder.") == 576_867)
        settings.hasAttention = false
        #expect(count(Generator(settings, seed: nil).state) == 2_758_118)
        let critics = Critics(channels: 32, side: 256, seed: nil).state
        #expect(count(critics, "critics.global.") == 2_733_441 && count(critics, "critics.local.") == 4_339_329)
    }

    /// What lies in a hole is not looked at, and outputs are colours of the whole picture.
    @Test(arguments: InpaintingDialect.allCases, [true, false])
    func holesAreNotLookedAt(_ dialect: InpaintingDialect, _ hasAttention: Bool) {
        var settings = InpainterSettings()
        (settings.dialect, settings.channels, settings.hasAttention) = (dialect, 4, hasAttention)
        let generator = Generator(settings, seed: 1)
        let images = randomTensor([1, 80, 96, 3], key: 1, scale: 0.4), masks = Tensor.zeros([1, 80, 96, 1])
        for y in 20..<50 {
            for x in 30..<60 { masks.floats[y * 96 + x] = 1 }
        }
        let first = generator.fill(image: images, mask: masks, Pass(mode: .evaluation))
        #expect(first.fine.shape == images.shape && first.offsets?.count == (hasAttention ? 120 : nil))
        for value in first.fine.floats { #expect(abs(value) <= 1) }
        for pixel in 0..<80 * 96 where masks.floats[pixel] == 1 { images.floats[3 * pixel] = 7 }
        images.markChanged()
        let second = generator.fill(image: images, mask: masks, Pass(mode: .evaluation))
        #expect(second.fine.array == first.fine.array && second.coarse.array == first.coarse.array)
    }

    /// A generator that has diverged makes a message, no picture and no trap.
    @Test func fillsThatAreNoNumbersAreAnError() throws {
        try withTemporaryDirectory { directory in
            let side = 32, mask = directory + "/mask.png"
            let holes = (0..<side * side).map { UInt8($0 / side < 9 ? 255 : 0) }
            try Data(encodePNG(gray: holes, width: side, height: side)).write(to: URL(fileURLWithPath: mask))
            let gray = [UInt8](repeating: 90, count: side * side * 3)
            let picture = PredictedPicture(
                name: "a.png", bytes: try encodePNG(rgb: gray, width: side, height: side))
            var settings = InpainterSettings()
            settings.channels = 4
            let predictor = try InpaintingPredictor(settings, masks: FilePath(mask))
            for parameter in predictor.states[0].parameters { parameter.value.fill(0.01) }
            #expect(try predictor.predict(picture).files.count == 3)
            for parameter in predictor.states[0].parameters {
                parameter.value.fill(.nan)
                parameter.value.markChanged()
            }
            let error = #expect(throws: ImageError.self) { try predictor.predict(picture) }
            #expect(error!.reason.contains("colours are not finite numbers"), "\(error!)")
        }
    }

    /// A mirrored border is narrower than the map.
    @Test(arguments: [(InpaintingDialect.published, 16), (.paper, 65)])
    func theSmallestPicturesAreFilledAndSmallerOnesRefused(_ dialect: InpaintingDialect, _ least: Int) throws {
        try withTemporaryDirectory { directory in
            func predict(_ side: Int) throws -> Prediction {
                let mask = "\(directory)/\(side).png"
                let holes = (0..<side * 80).map { UInt8($0 / 80 < 9 ? 255 : 0) }
                try Data(encodePNG(gray: holes, width: 80, height: side)).write(to: URL(fileURLWithPath: mask))
                var settings = InpainterSettings()
                (settings.dialect, settings.channels) = (dialect, 4)
                let predictor = try InpaintingPredictor(settings, masks: FilePath(mask))
                for parameter in predictor.states[0].parameters { parameter.value.fill(0.01) }
                let gray = [UInt8](repeating: 90, count: side * 80 * 3)
                return try predictor.predict(
                    PredictedPicture(name: "a.png", bytes: try encodePNG(rgb: gray, width: 80, height: side)))
            }
            #expect(try predict(least).files.count == 3)
            var reason = ""
            do { _ = try predict(least - 1) } catch let error as ImageError { reason = error.reason }
            #expect(reason.contains("smaller than the generator's steps: \(least) at least"), "\(reason)")
        }
    }

    @Test func bfloat16IsNearFloat32() {
        var settings = InpainterSettings()
        settings.channels = 32
        let generator = Generator(settings, seed: 3)
        let images = randomTensor([1, 64, 64, 3], key: 1, scale: 0.4), masks = Tensor.zeros([1, 64, 64, 1])
        for y in 20..<50 {
            for x in 10..<40 { masks.floats[y * 64 + x] = 1 }
        }
        let exact = generator.fill(image: images, mask: masks, Pass(mode: .evaluation))
        let rounded = generator.fill(image: images, mask: masks, Pass(mode: .evaluation, elementType: .bfloat16))
        #expect(relativeError(rounded.coarse, exact.coarse) < 5e-2)
    }

    @Test func theReadmeListsEveryDecision() throws {
        let readme = try String(
            contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "README.md"), encoding: .utf8)
        #expect(InpaintingDecision.all.count == 25)
        for decision in InpaintingDecision.all {
            let row = "| \(decision.matter) | \(decision.published) | \(decision.paper ?? "the same") |"
            #expect(readme.contains(row), "\(row)")
        }
    }

    @Test func contradictionsAreNamed() {
        var settings = InpainterSettings()
        #expect(settings.contradictions(side: 256, place: { $0 }).isEmpty)
        (settings.channels, settings.dialect) = (3, .paper)
        let problems = settings.contradictions(side: 64, place: { $0 }).map { "\($0)" }
        #expect(problems.count == 2 && problems[0].contains("odd") && problems[1].contains("more than 64"))
    }
}
