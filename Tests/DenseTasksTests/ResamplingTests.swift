import DenseTasks
import Evaluation
import Testing

/// Scores of draws of the pictures are the scores of sets in which each picture is as often as it was drawn.
@Suite struct ResamplingTests {
    @Test func drawsAreOfAllPicturesAndOfNothingElse() {
        let counts = (0..<200).map { Resampling.counts(draw: $0, of: 50) }
        #expect(counts.allSatisfy { $0.reduce(0, +) == 50 })
        #expect(counts == (0..<200).map { Resampling.counts(draw: $0, of: 50) } && Set(counts).count == 200)
        // A picture is left out of a draw with the probability (1 − 1/50)^50 = 0.364.
        let left = Double(counts.joined().count { $0 == 0 }) / 10_000
        #expect(abs(left - 0.364) < 0.02)
        #expect(Resampling.counts(draw: 3, of: 1) == [1])
    }

    @Test func precisionOfADrawIsThatOfTheRepeatedImages() throws {
        let images = Array(0..<6)
        let truths = images.dropLast().map { image in
            GroundTruth(image: image, category: 1, box: Box(x: 10, y: 10, width: 20, height: 20))
        }
        var found: [Detection] = []
        for image in images {
            for place in 0..<3 {
                let left = Double(10 + 4 * ((image + place) % 4)), score = Double((7 * image + 5 * place) % 17) / 17
                found.append(
                    Detection(image: image, category: 1, box: Box(x: left, y: 10, width: 20, height: 20), score: score))
            }
        }
        let set = try DetectionSet(images: images, categories: [1], truths: truths)
        let resampled = try set.resampledPrecision(found, draws: 8)
        for draw in 0..<8 {
            let drawn = Resampling.counts(draw: draw, of: 6).enumerated().flatMap { Array(repeating: $0, count: $1) }
            var repeatedTruths: [GroundTruth] = [], repeatedFound: [Detection] = []
            for (place, image) in drawn.enumerated() {
                for truth in truths where truth.image == image {
                    repeatedTruths.append(GroundTruth(image: place, category: 1, box: truth.box))
                }
                for detection in found where detection.image == image {
                    repeatedFound.append(
                        Detection(image: place, category: 1, box: detection.box, score: detection.score))
                }
            }
            let repeated = try DetectionSet(images: Array(0..<6), categories: [1], truths: repeatedTruths)
            let scores = try repeated.coco(repeatedFound)
            #expect(resampled["AP"]?[draw] == scores.averagePrecision && resampled["AP50"]?[draw] == scores.at50)
        }
        #expect(Set(resampled["AP"]!.compactMap { $0 }).count > 4)
    }

    @Test func meanIoUOfADrawIsThatOfTheRepeatedPictures() {
        let pictures = (0..<5).map { picture in
            var matrix = ConfusionMatrix(classes: 3)
            for label in 0..<3 {
                for prediction in 0..<3 {
                    matrix.add(label: label, prediction: prediction, pixels: (5 * picture + 3 * label + prediction) % 7)
                }
            }
            return matrix
        }
        let means = pictures.resampledMeans(6)
        for draw in 0..<6 {
            var sum = ConfusionMatrix(classes: 3)
            for (picture, count) in zip(pictures, Resampling.counts(draw: draw, of: 5)) {
                for _ in 0..<count { sum.add(picture) }
            }
            #expect(means[draw] == sum.meanIntersectionOverUnion)
        }
        #expect(Set(means.compactMap { $0 }).count > 3)
    }
}
