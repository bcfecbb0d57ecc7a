import PixelLearning
import TensorCore
import Testing

@Suite struct FeatureMomentsTests {
    @Test func spreadTellsCollapseFromVariety() {
        var same = FeatureMoments(channels: 4), varied = same
        same.add(Tensor([2, 2, 4], [Float](repeating: 0.5, count: 16)))
        #expect(abs(same.spread) < 1e-6)
        varied.add(Tensor([4, 4], (0..<16).map { $0 % 5 == 0 ? 1 : 0 }))
        #expect(abs(varied.spread - 0.75) < 1e-6)
    }
}
