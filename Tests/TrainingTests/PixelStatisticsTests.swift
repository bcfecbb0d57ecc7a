import Foundation
import ImagePipeline
import Learning
import MessagePassing
import PixelLearning
import SystemPackage
import TestSupport
import Testing
import Training

@Suite struct PixelStatisticsTests {
    private static func color(_ picture: Int) -> [Int] {
        [10 + 30 * picture, 200 - 20 * picture, picture * picture * 5]
    }

    /// Seven pictures of one colour each, and a file that is none.
    private func withPictures(_ body: (ImageIndex) throws -> Void) throws {
        try withTemporaryDirectory { folder in
            for picture in 0..<7 {
                let pixel = Self.color(picture).map { UInt8($0) }, count = 20 * (9 + picture)
                let pixels = (0..<count).flatMap { _ in pixel }
                try Data(encodePNG(rgb: pixels, width: 20, height: 9 + picture))
                    .write(to: URL(fileURLWithPath: "\(folder)/\(picture).png"))
            }
            try Data("no picture".utf8).write(to: URL(fileURLWithPath: folder + "/x.png"))
            try body(try ImageIndex(roots: [FilePath(folder)]))
        }
    }

    /// Each picture counts the same, whatever its size; the numbers are those of any number of ranks.
    @Test func anyNumberOfRanksMeasuresTheSame() throws {
        try withPictures { index in
            var found: [PixelStatistics] = []
            for ranks in [1, 3] {
                found += try SimulatedRanks(ranks, seed: 4).run { try PixelStatistics(of: index, $0) }
            }
            #expect(found.count == 4 && found.allSatisfy { $0 == found[0] && $0.pictures == 7 }, "\(found)")
            let pixels = found[0].normalization
            for channel in 0..<3 {
                let values = (0..<7).map { Double(Self.color($0)[channel]) / 255 }
                let mean = values.reduce(0, +) / 7
                var variance = 0.0
                for value in values { variance += (value - mean) * (value - mean) / 7 }
                #expect(abs(Double(pixels.mean[channel]) - mean) <= 6e-5)
                #expect(abs(Double(pixels.deviation[channel]) - variance.squareRoot()) <= 6e-5)
            }
        }
    }

    @Test func whatCannotBeMeasuredIsSaid() throws {
        try withTemporaryDirectory { folder in
            let path = URL(fileURLWithPath: folder + "/a.png")
            try Data(encodePNG(gray: [UInt8](repeating: 9, count: 64), width: 8, height: 8)).write(to: path)
            let index = try ImageIndex(roots: [FilePath(folder)]), alone = Communicator(alone: "test")
            let flat = #expect(throws: PixelStatisticsError.self) { try PixelStatistics(of: index, alone) }
            #expect(flat?.description.contains("set data.deviation to three numbers") == true)
            try Data("no picture".utf8).write(to: path)
            let none = #expect(throws: PixelStatisticsError.self) { try PixelStatistics(of: index, alone) }
            #expect(none?.description.contains("none of 1 pictures can be read") == true)
        }
    }

    private func settings(_ overrides: [String]) throws -> PixelSettings {
        try RunConfiguration.parse(yaml: "", name: "run.yaml", overrides: overrides, tasks: [PretrainingSettings.self])
            .configuration.settings(PretrainingSettings.self).pixels
    }

    @Test func keysSayNumbersOrWhereTheyComeFrom() throws {
        #expect(try settings([]).normalization == .imageNet)
        #expect(try settings(["data.mean=imagenet", "data.deviation=imagenet"]) == PixelSettings())
        let numbers = try settings(["data.mean=[0.5, 0.25, 1]", "data.deviation=[0.5, 1, 0.125]"])
        #expect(numbers.normalization == PixelNormalization(mean: [0.5, 0.25, 1], deviation: [0.5, 1, 0.125]))
        let half = try settings(["data.mean=measured", "data.deviation=[0.5, 1, 0.125]"])
        #expect(half.isMeasured)
        let resolved = try half.resolved(["mean": "0.1,0.2,0.3", "std": "0.7,0.8,0.9"])
        #expect(resolved.normalization == PixelNormalization(mean: [0.1, 0.2, 0.3], deviation: [0.5, 1, 0.125]))
        #expect(throws: PixelStatisticsError.self) { try half.resolved(["mean": "0.1,0.2"]) }
        #expect(PixelNormalization(PixelNormalization.imageNet.facts) == .imageNet)
    }

    @Test(arguments: [
        ("data.mean=123.675", "imagenet, measured or a list of three numbers"),
        ("data.mean=[0.5, 0.5]", "three numbers"),
        ("data.mean=[123.675, 116.28, 103.53]", "divide numbers that are of pixels in 0…255 by 255"),
        ("data.deviation=[0.2, 0, 0.2]", "and not 0"), ("data.std=[0.2, 0.2, 0.2]", "data.deviation"),
    ]) func otherValuesAreRefusedWithARemedy(_ override: String, _ words: String) {
        let error = #expect(throws: (any Error).self) { try settings([override]) }
        #expect("\(error!)".contains(words), "\(error!)")
    }
}
