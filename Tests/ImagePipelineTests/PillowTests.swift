import Foundation
import ImagePipeline
import TensorCore
import TestSupport
import Testing

@Suite struct PillowTests {
    private var planes: Tensor {
        let count = PillowFixtures.width * PillowFixtures.height
        let tensor = Tensor([3, count])
        for i in 0..<count * 3 { tensor.floats[i % 3 * count + i / 3] = Float(PillowFixtures.source[i]) }
        return tensor
    }

    private func reduced(_ crop: PixelRegion, _ width: Int, _ height: Int) -> [Float] {
        let whole = DecodedRegion(
            image: RGBImage(width: PillowFixtures.width, height: PillowFixtures.height, pixels: PillowFixtures.source),
            originX: 0, originY: 0, scaleX: 1, scaleY: 1)
        return resized(whole, crop, width, height)
    }

    /// Pillow rounds to bytes after each of its two passes.
    @Test func resizingIsPillows() {
        for (result, expected) in [
            (reduced(PixelRegion(x: 2, y: 1, width: 11, height: 9), 6, 5), PillowFixtures.reduced),
            (reduced(PixelRegion(x: 3, y: 2, width: 5, height: 5), 9, 8), PillowFixtures.enlarged),
        ] {
            #expect(result.count == expected.count)
            for (a, b) in zip(result, expected) { #expect(abs(a - b) <= 1.01) }
        }
    }

    @Test(arguments: [(0.7, PillowFixtures.blurredALittle), (1.7, PillowFixtures.blurredMuch)])
    func blurIsPillows(_ sigma: Double, _ expected: [Float]) {
        let width = PillowFixtures.width
        let result = blurred(PillowFixtures.source.map(Float.init), width, PillowFixtures.height, sigma)
        for i in 0..<expected.count {
            let (x, y) = (i / 3 % 8, i / 24)
            #expect(abs(result[(y * width + x) * 3 + i % 3] - expected[i]) <= 1.51, "\(x),\(y)")
        }
    }

    @Test(arguments: [
        ("brightness", PillowFixtures.brighter, Float(1.01)), ("contrast", PillowFixtures.flatter, 1.01),
        ("saturation", PillowFixtures.duller, 1.6), ("hue", PillowFixtures.turned, 6),
        ("gray", PillowFixtures.gray, 1.01),
        ("solarize", PillowFixtures.solarized, 0.01),
    ]) func coloursAreTorchvisions(_ name: String, _ expected: [Float], _ tolerance: Float) {
        let planes = planes, count = PillowFixtures.width * PillowFixtures.height
        let colors = ColorRuns(planes.pointer, count: count)
        let meanGray = colors.graySum / Float(count)
        switch name {
        case "brightness": colors.apply(.brightness(1.3), meanGray: meanGray)
        case "contrast": colors.apply(.contrast(0.7), meanGray: meanGray)
        case "saturation": colors.apply(.saturation(0.8), meanGray: meanGray)
        // Pillow keeps hue in a byte: 1/256 of the circle is up to six levels.
        case "hue": colors.apply(.hue(0.08), meanGray: meanGray)
        case "gray": colors.makeGray()
        default: colors.solarize()
        }
        for y in 0..<4 {
            for x in 0..<8 {
                for c in 0..<3 {
                    let mine = planes.floats[c * count + y * PillowFixtures.width + x]
                    #expect(abs(mine - expected[(y * 8 + x) * 3 + c]) <= tolerance, "\(name) at \(x),\(y) \(c)")
                }
            }
        }
    }

    @Test func blurKeepsTheMeanAndSpreadsAPoint() {
        var picture = [Float](repeating: 0, count: 41 * 41 * 3)
        for c in 0..<3 { picture[(20 * 41 + 20) * 3 + c] = 1 }
        let result = blurred(picture, 41, 41, 1.7)
        for c in 0..<3 {
            var mass = 0.0, variance = 0.0
            for i in 0..<41 * 41 {
                mass += Double(result[i * 3 + c])
                variance += Double(result[i * 3 + c]) * Double((i % 41 - 20) * (i % 41 - 20))
            }
            #expect(abs(mass - 1) < 1e-5 && abs(variance - 1.7 * 1.7) < 0.1)
        }
    }
}
