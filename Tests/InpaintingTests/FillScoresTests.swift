import ImagePipeline
import Inpainting
import TensorCore
import TestSupport
import Testing

/// A picture, one that differs from it in a rectangle, and what NumPy, PyTorch and scikit-image say of them.
private enum ScoredPicture {
    static let (height, width) = (24, 32)

    static let mask: HoleMask = {
        var mask = HoleMask(height: height, width: width)
        for y in 5..<15 { for x in 8..<20 { mask[y, x] = true } }
        return mask
    }()

    static var truth: Tensor {
        let values = (0..<height * width * 3).map { i -> Float in
            let level = (i * 37 + (i * i) % 101) % 256
            return Float(Double(level) / 127.5 - 1)
        }
        return Tensor([height, width, 3], values)
    }

    static var filled: Tensor {
        let filled = truth
        for i in 0..<filled.count where mask.holes[i / 3] {
            let shift = Double((i * 13) % 29) / 29 - 0.5
            let value = filled.floats[i] * 0.8 + Float(shift * 0.3)
            filled.floats[i] = min(max(value, -1), 1)
        }
        return filled
    }
}

@Suite struct FillScoresTests {
    private let scores = PictureScores(
        truth: ScoredPicture.truth, filled: ScoredPicture.filled, mask: ScoredPicture.mask)

    private func expectNear(_ value: Double, _ expected: Double, _ tolerance: Double = 1e-5) {
        #expect(abs(value - expected) <= tolerance * abs(expected), "\(value) for \(expected)")
    }

    @Test func `scores of the hole are those of the reference`() {
        expectNear(scores.hole.l1, 0.06047488670301391)
        expectNear(scores.hole.l2, 0.005380337215211046)
        expectNear(scores.hole.signalToNoise, 22.691905038659822)
        expectNear(scores.hole.totalVariation, 0.5872451361359259)
    }

    @Test func `scores of the whole picture are those of the reference`() {
        expectNear(scores.whole.l1, 0.009449201047345923)
        expectNear(scores.whole.l2, 0.000840677689876726)
        expectNear(scores.whole.signalToNoise, 30.753704778498694)
        expectNear(scores.whole.totalVariation, 0.6892156035729658)
    }

    /// scikit-image's structural_similarity with Gaussian weights and population covariance.
    @Test func `structural similarity is scikit-image's`() {
        expectNear(scores.whole.similarity, 0.9942476550372664)
        expectNear(scores.hole.similarity, 0.9698495132754561)
    }

    @Test func `equal pictures are alike and have no more than 100 dB`() {
        let same = PictureScores(truth: ScoredPicture.truth, filled: ScoredPicture.truth, mask: ScoredPicture.mask)
        #expect(same.hole.l1 == 0 && same.hole.l2 == 0 && same.hole.signalToNoise == 100)
        expectNear(same.hole.similarity, 1, 1e-12)
    }

    @Test func `simple fills look at known pixels alone`() {
        let blinded = ScoredPicture.truth.copy()
        for i in 0..<blinded.count where ScoredPicture.mask.holes[i / 3] { blinded.floats[i] = 77 }
        for fill in SimpleFill.allCases {
            let filled = fill.fill(blinded, ScoredPicture.mask)
            #expect(filled.array == fill.fill(ScoredPicture.truth, ScoredPicture.mask).array)
            #expect(filled.array.allSatisfy { (-1...1).contains($0) })
        }
        // The hole's upper left pixel and the one above or beside it.
        let nearest = SimpleFill.nearestPixel.fill(blinded, ScoredPicture.mask)
        let corner = 3 * (5 * 32 + 8)
        #expect([3 * (4 * 32 + 8), 3 * (5 * 32 + 7)].contains { nearest.floats[$0] == nearest.floats[corner] })
    }
}

@Suite struct AttentionPictureTests {
    @Test func `directions have the colours of the article's legend`() {
        func color(_ rows: Int, _ columns: Int) -> [UInt8] {
            let offsets = [(rows: rows, columns: columns)] + [(rows: Int, columns: Int)](repeating: (0, 0), count: 7)
            return Array(AttentionPicture.image(offsets, height: 1, width: 8, scale: 2).pixels.prefix(3))
        }
        #expect(color(0, 0) == [255, 255, 255])
        #expect(color(-3, 4) == [96, 255, 117])
        #expect(color(5, -2) == [189, 83, 255])
        #expect(color(2, 2) == [165, 210, 255])
        #expect(color(-8, -1) == [222, 255, 0])
    }
}
