import Evaluation
import Testing

@Suite struct LabelCountsTests {
    private func counts(_ pixels: [Int: Int], classes: Int = 3, void: Int? = 255) -> LabelCounts {
        var ids = [Int](repeating: 0, count: 256)
        for (id, count) in pixels { ids[id] = count }
        return LabelCounts(part: "training", ids: ids, scheme: LabelScheme(classes: classes, void: void))
    }

    @Test func twoClassesAreEnough() throws {
        let all = counts([0: 4, 1: 1, 2: 9, 255: 3])
        try all.check()
        #expect(all.absent.isEmpty && all.note == nil)
        let some = counts([0: 4, 2: 9], classes: 6)
        try some.check()
        #expect(some.absent == [1, 3, 4, 5] && some.note == "no pixel of the training labels has class 1, 3, 4, 5")
        // A class that is void is none that could be missing.
        #expect(counts([1: 4, 2: 9], void: 0).absent.isEmpty)
        #expect(counts([0: 1, 255: 1], classes: 256, void: nil).note?.hasSuffix("19, 20, …") == true)
    }

    @Test(
        arguments: [
            ([255: 7], 3, 255, "no pixel has a class, and 7 have the void id 255; the classes are the ids 0 to 2"),
            ([0: 5, 255: 7], 2, 255, "all 5 labelled pixels have the id 0, and 7 have the void id 255; "),
            ([1: 5], 2, nil, "all 5 labelled pixels have the id 1, and no id is void; "),
            ([:], 2, nil, "no pixel has a class, and no id is void; "),
        ] as [([Int: Int], Int, Int?, String)])
    func lessTellNothingApart(_ pixels: [Int: Int], _ classes: Int, _ void: Int?, _ words: String) {
        let error = #expect(throws: EvaluationError.self) { try counts(pixels, classes: classes, void: void).check() }
        #expect(
            error?.description.contains("the training labels of the segmentation score tell nothing apart: " + words)
                == true)
    }

    @Test func aMatrixWithoutAPixelHasNoScore() {
        var confusion = ConfusionMatrix(classes: 3)
        #expect(confusion.meanIntersectionOverUnion == nil && confusion.pixelAccuracy == nil)
        confusion.add(label: 0, prediction: 1, pixels: 3)
        confusion.add(label: 1, prediction: 1, pixels: 6)
        #expect(confusion.intersectionOverUnion == [0, 6.0 / 9, nil] && confusion.meanIntersectionOverUnion == 3.0 / 9)
        #expect(confusion.pixelAccuracy == 6.0 / 9 && confusion.labelled == [3, 6, 0])
    }
}
