import ImagePipeline
import PixelLearning
import TensorCore
import Testing

/// The picture of two views and the cells that they share.
@Suite struct ViewPanelTests {
    private static let size = 64

    /// Two gray views of one picture.
    private func panel(_ first: [Float], _ second: [Float]) -> RGBImage {
        let gray = { (value: Float) in Tensor([1, Self.size, Self.size, 3], .init(repeating: value, count: 12_288)) }
        let views = TwoViewBatch(
            view1: gray(0.5), view2: gray(0.25), box1: Tensor([1, 4], first), box2: Tensor([1, 4], second))
        return ViewPanel(views, .none, PixelModelSettings()).image
    }

    private func pixel(_ image: RGBImage, _ x: Int, _ y: Int) -> [UInt8] {
        Array(image.pixels[(y * image.width + x) * 3..<(y * image.width + x) * 3 + 3])
    }

    @Test func equalViewsHaveEqualFrames() {
        let image = panel([0, 0, 1, 1], [0, 0, 1, 1])
        // Views of 64 pixels are four times as large, with a gap of four pixels between.
        #expect((image.width, image.height) == (2 * 256 + 4, 256))
        for (x, y) in [(0, 0), (127, 5), (128, 5), (200, 255)] {
            #expect(pixel(image, x, y) == pixel(image, x + 260, y), "frames at (\(x), \(y))")
        }
        #expect(pixel(image, 0, 0) != pixel(image, 255, 0) && pixel(image, 127, 5) != pixel(image, 128, 5))
        // Within a cell is the picture.
        #expect(pixel(image, 60, 60) == [128, 128, 128] && pixel(image, 60 + 260, 60) == [64, 64, 64])
    }

    @Test func whatIsNoNumberIsBlackAndWhatIsBeyondIsCutOff() {
        let shades: [Float] = [.nan, -1, 0, 0.5, 1, 7, .infinity, -.infinity]
        #expect(shades.map { UInt8(shade: $0) } == [0, 0, 0, 128, 255, 255, 255, 0])
        for byte in UInt8.min...UInt8.max { #expect(UInt8(shade: Float(byte) / 255) == byte) }
    }

    @Test func aFlippedViewHasItsFramesOnTheOtherSide() {
        let image = panel([0, 0, 1, 1], [1, 0, 0, 1])
        #expect(pixel(image, 0, 0) == pixel(image, 260 + 255, 0))
        #expect(pixel(image, 255, 255) == pixel(image, 260, 255))
    }

    @Test func cellsWithoutAMatchAreDark() {
        let image = panel([0, 0, 0.4, 0.4], [0.6, 0.6, 1, 1])
        for x in [0, 60, 255, 260, 400] {
            let gray: Float = x < 256 ? 0.5 : 0.25
            #expect(pixel(image, x, 9) == .init(repeating: UInt8((255 * gray * 0.35).rounded()), count: 3))
        }
    }
}
