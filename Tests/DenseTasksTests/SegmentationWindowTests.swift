import DenseTasks
import ImagePipeline
import TensorCore
import TestSupport
import Testing

@Suite struct SegmentationWindowTests {
    @Test(arguments: [(1.0, 64, 48), (0.5, 64, 64), (2, 50, 7), (1, 300, 100)])
    func partsCoverThePictureAndStayInIt(_ scale: Double, _ side: Int, _ step: Int) {
        let plan = WindowPlan(scale: scale, side: side, step: step)
        for (height, width) in [(97, 133), (64, 64), (10, 400)] {
            var seen = [Int](repeating: 0, count: height * width)
            for region in plan.regions(height: height, width: width) {
                #expect(region.x >= 0 && region.y >= 0 && region.x + region.width <= width)
                #expect(region.y + region.height <= height)
                let size = plan.size(of: region)
                #expect(size.height <= side + 1 && size.width <= side + 1, "\(size)")
                for y in region.y..<region.y + region.height {
                    for x in region.x..<region.x + region.width { seen[y * width + x] += 1 }
                }
            }
            #expect(seen.allSatisfy { $0 > 0 }, "\(height) × \(width)")
        }
    }

    @Test func withoutAWindowThePictureIsOnePart() {
        let plan = WindowPlan(scale: 0.5, side: nil, step: nil), whole = PixelRegion(x: 0, y: 0, width: 40, height: 30)
        #expect(plan.regions(height: 30, width: 40) == [whole])
        #expect(plan.size(of: whole) == (15, 20))
    }

    /// Against a loop over parts, pixels and classes.
    @Test func logitsOfPartsAddUpAndTheLowestOfEqualClassesWins() {
        let plan = WindowPlan(scale: 1, side: 6, step: 4), (height, width, classes) = (9, 11, 3)
        let sums = LogitSums(height: height, width: width, classes: classes)
        var expected = [Float](repeating: 0, count: height * width * classes)
        for (number, region) in plan.regions(height: height, width: width).enumerated() {
            // A map of the part's own size is not changed by enlarging it.
            let logits = randomTensor([1, region.height, region.width, classes], key: UInt64(number))
            sums.add(logits, region)
            for y in 0..<region.height {
                for x in 0..<region.width {
                    for k in 0..<classes {
                        expected[((region.y + y) * width + region.x + x) * classes + k] +=
                            logits.floats[(y * region.width + x) * classes + k]
                    }
                }
            }
        }
        let best = (0..<height * width).map { pixel -> UInt8 in
            let own = Array(expected[pixel * classes..<(pixel + 1) * classes])
            return UInt8(own.firstIndex(of: own.max()!)!)
        }
        #expect(sums.classes == best)
        let equal = LogitSums(height: 2, width: 2, classes: 4)
        equal.add(Tensor([1, 1, 1, 4], [1, 2, 2, 0]), PixelRegion(x: 0, y: 0, width: 2, height: 2))
        #expect(equal.classes == [1, 1, 1, 1])
    }
}
