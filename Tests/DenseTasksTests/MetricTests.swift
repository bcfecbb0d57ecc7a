import DenseTasks
import Evaluation
import TensorCore
import TestSupport
import Testing

/// Every case of the references, to 1e-9.
@Suite struct MetricTests {
    /// A crowd counts neither as found nor as missed, for VOC's figures as for COCO's.
    @Test func aCrowdIsNothingToBeFound() throws {
        let box = Box(x: 0, y: 0, width: 10, height: 10), crowd = Box(x: 50, y: 50, width: 40, height: 40)
        let set = try DetectionSet(
            images: [1], categories: [1],
            truths: [
                GroundTruth(image: 1, category: 1, box: box),
                GroundTruth(image: 1, category: 1, box: crowd, isCrowd: true),
            ])
        let one = Detection(image: 1, category: 1, box: box, score: 0.9)
        let onTheCrowd = Detection(image: 1, category: 1, box: crowd, score: 0.95)
        #expect(try set.voc([one]).meanArea == 1)
        #expect(try set.voc([onTheCrowd, one]).meanArea == 1)
    }

    private func set(_ test: MetricCases.DetectionCase) throws -> DetectionSet {
        try DetectionSet(
            images: test.images, categories: test.categories,
            truths: test.truth.map { row in
                GroundTruth(
                    image: Int(row[0]!), category: Int(row[1]!), box: box(row), area: row[6], isCrowd: row[7] == 1,
                    isIgnored: row[8] == 1)
            })
    }

    private func box(_ row: [Double?]) -> Box {
        Box(x: row[2] ?? .nan, y: row[3] ?? .nan, width: row[4] ?? .nan, height: row[5] ?? .nan)
    }

    private func found(_ test: MetricCases.DetectionCase) -> [Detection] {
        test.found.map { row in
            Detection(image: Int(row[0]!), category: Int(row[1]!), box: box(row), score: row[6] ?? .nan)
        }
    }

    private func expect(_ value: Double?, _ expected: Double?, _ name: String) {
        let isEqual =
            switch (value, expected) {
            case (nil, nil): true
            case (let value?, let expected?): abs(value - expected) <= 1e-9
            default: false
            }
        #expect(isEqual, "\(name): \(String(describing: value)), expected \(String(describing: expected))")
    }

    private func expect(_ scores: COCOScores, _ expected: [Double], _ name: String) {
        #expect(scores.figures.count == expected.count)
        for (figure, expected) in zip(scores.figures, expected) {
            expect(figure.value, expected == -1 ? nil : expected, "\(name), \(figure.name)")
        }
    }

    @Test func detectionsAreScoredAsPycocotoolsScoresThem() throws {
        var count = 0
        for test in MetricCases.all.flatMap(\.detection) {
            expect(try set(test).coco(found(test)), test.coco!, test.name)
            expect(
                try set(test).coco(found(test), honoursIgnored: true), test.cocoHonouringIgnore ?? test.coco!,
                "\(test.name), ignored ones honoured")
            count += 1
        }
        #expect(count >= 60)
    }

    @Test func detectionsAreScoredAsVOCScoresThem() throws {
        var count = 0
        for test in MetricCases.all.flatMap(\.detection) {
            guard let expected = test.voc else { continue }
            let set = try set(test), scores = try set.voc(found(test))
            for (place, category) in test.categories.enumerated() {
                let own = set.categories.firstIndex(of: category)!
                expect(scores.elevenPoint[own], expected.eleven[place], "\(test.name), eleven points of \(category)")
                expect(scores.area[own], expected.area[place], "\(test.name), area of \(category)")
            }
            expect(scores.meanElevenPoint, expected.meanEleven, test.name)
            expect(scores.meanArea, expected.meanArea, test.name)
            count += 1
        }
        #expect(count >= 50)
    }

    @Test func whatBelongsToOtherAnnotationsOrIsNoNumberIsRefused() throws {
        let tests = MetricCases.all.flatMap(\.rejected)
        #expect(tests.count >= 5)
        for test in tests {
            let set = try set(test)
            let error = #expect(throws: DetectionError.self, "\(test.name)") { try set.coco(found(test)) }
            #expect(throws: DetectionError.self, "\(test.name)") { try set.voc(found(test)) }
            // "unknown image 5", "score NaN in image 1": each word is said.
            for word in test.reason!.split(separator: " ") {
                #expect(
                    error?.description.lowercased().contains(word.lowercased()) == true, "\(test.reason!): \(error!)")
            }
        }
    }

    /// Ranks hold parts of the images: their detections in any order of images give the same bits.
    @Test func theOrderOfImagesIsTheSets() throws {
        for test in MetricCases.all[0].detection {
            let set = try set(test), found = found(test)
            let alone = try set.coco(found), voc = try set.voc(found)
            for ranks in 2...4 {
                let shared = (0..<ranks).reversed().flatMap { rank in found.filter { $0.image % ranks == rank } }
                #expect(try set.coco(shared) == alone, "\(test.name)")
                #expect(try set.voc(shared) == voc, "\(test.name)")
            }
        }
    }

    @Test func confusionIsCountedAtTheLabelsResolution() throws {
        var count = 0
        for test in MetricCases.all.flatMap(\.segmentation) {
            let scheme = LabelScheme(classes: test.classes, void: test.ignore)
            let labels = PixelLabels(width: test.width, height: test.height, ids: test.truth)
            var confusion = ConfusionMatrix(classes: test.classes)
            confusion.add(labels, predictions: test.found, scheme: scheme)
            #expect(confusion.counts == test.confusion.flatMap { $0 }, "\(test.name)")
            let names = (0..<test.classes).map { "class \($0)" }
            let scores = SegmentationScores(confusion, classNames: names)
            for (score, expected) in zip(scores.byClass, test.iou) { expect(score.value, expected, test.name) }
            expect(scores.mean, test.mean, test.name)
            expect(scores.pixelAccuracy, test.pixelAccuracy, test.name)
            #expect(scores.counted == test.counted)
            #expect((scores.note == nil) == (test.counted == test.classes))
            for (name, value) in zip(names, test.iou) where value == nil { #expect(scores.note!.contains(name)) }
            count += 1
        }
        #expect(count >= 40)
    }

    /// The lowest class of the largest logits, enlarged bilinearly.
    @Test func logitsBecomeTheReferencesPredictions() throws {
        var count = 0
        for test in MetricCases.all.flatMap(\.segmentation) {
            guard let logits = test.logits else { continue }
            let cells = logits.rows * logits.columns
            let map = Tensor([test.classes, cells], logits.values)
                .permutedInner(outer: 1, rows: test.classes, columns: cells)
            let wide = BilinearUpsampling(
                mapRows: logits.rows, mapColumns: logits.columns, height: test.height, width: test.width)(map)
            let values = wide.array
            let predictions = (0..<test.height * test.width).map { pixel in
                let (y, x) = (pixel / test.width, pixel % test.width)
                let row = (0..<test.classes).map { values[(y * test.classes + $0) * test.width + x] }
                return UInt8(row.firstIndex(of: row.max()!)!)
            }
            #expect(predictions == test.found, "\(test.name)")
            count += 1
        }
        #expect(count >= 10)
    }
}
