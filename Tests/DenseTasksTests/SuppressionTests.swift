import DenseTasks
import Testing

@Suite struct SuppressionTests {
    private let boxes = [
        Box(x: 0, y: 0, width: 10, height: 10), Box(x: 0, y: 0, width: 10, height: 8),
        Box(x: 0, y: 0, width: 10, height: 5), Box(x: 40, y: 0, width: 10, height: 10),
    ]

    @Test func aBoxGoesThatOverlapsASurerOneOfItsCategory() {
        // IoU with the first: 0.8 and 0.5; of the second with the third 0.625.
        #expect(
            suppressed(boxes: boxes, scores: [0.9, 0.8, 0.7, 0.6], categories: [1, 1, 1, 1], overlap: 0.6, limit: 9)
                == [0, 2, 3])
        #expect(
            suppressed(boxes: boxes, scores: [0.9, 0.8, 0.7, 0.6], categories: [1, 2, 2, 1], overlap: 0.6, limit: 9)
                == [0, 1, 3])
        // What is dropped drops nothing.
        #expect(
            suppressed(boxes: boxes, scores: [0.5, 0.8, 0.7, 0.6], categories: [1, 1, 1, 1], overlap: 0.6, limit: 9)
                == [1, 3])
    }

    @Test func anOverlapOfExactlyTheLimitStays() {
        #expect(
            suppressed(boxes: boxes, scores: [0.9, 0.1, 0.8, 0.2], categories: [0, 0, 0, 0], overlap: 0.5, limit: 9)
                == [0, 2, 3])
    }

    @Test func ofEqualScoresTheEarlierStaysAndNoMoreThanTheLimit() {
        #expect(
            suppressed(boxes: boxes, scores: [1, 1, 1, 1], categories: [0, 0, 0, 0], overlap: 0.7, limit: 9) == [
                0, 2, 3,
            ])
        #expect(
            suppressed(boxes: boxes, scores: [1, 1, 1, 1], categories: [0, 0, 0, 0], overlap: 0.7, limit: 2) == [0, 2])
        #expect(suppressed(boxes: [], scores: [], categories: [], overlap: 0.7, limit: 2).isEmpty)
    }
}
