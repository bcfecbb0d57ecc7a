import ImagePipeline
import TestSupport
import Testing

/// Label maps as programs write them: the number that is stored is the class, whatever its bits and colours.
@Suite struct LabelMapTests {
    private let width = 13
    private let height = 11

    private func ids(below count: Int) -> [Int] { (0..<width * height).map { ($0 * 7 + $0 / width) % count } }

    @Test(arguments: [PlainPNG.ColorType.gray, .palette], [1, 2, 4, 8])
    func grayValuesAndPaletteIndicesOfAnyBitsAreIDs(_ color: PlainPNG.ColorType, _ bits: Int) throws {
        var file = PlainPNG(width, height, color, bits: bits, ids(below: 1 << bits))
        for isInterlaced in [false, true] {
            file.isInterlaced = isInterlaced
            let map = try decodeLabelMap(file.bytes)
            #expect(map.width == width && map.height == height)
            #expect(map.ids.map(Int.init) == file.samples, "interlaced: \(isInterlaced)")
        }
    }

    @Test(arguments: [false, true]) func sixteenBitValuesAreIDs(_ isInterlaced: Bool) throws {
        var file = PlainPNG(width, height, .gray, bits: 16, ids(below: 256))
        file.isInterlaced = isInterlaced
        #expect(try decodeLabelMap(file.bytes).ids.map(Int.init) == file.samples)
    }

    /// An instance map or ids times 257 would become classes that nobody drew if the upper byte were dropped or kept.
    @Test(arguments: [256, 300, 257 * 3, 65535]) func aSixteenBitIDAbove255IsNamedWithItsPlace(_ id: Int) throws {
        var file = PlainPNG(width, height, .gray, bits: 16, ids(below: 5))
        file.samples[3 * width + 8] = id
        let error = #expect(throws: ImageError.self) { try decodeLabelMap(file.bytes) }
        #expect(error?.reason == "has the 16-bit class id \(id) at 8,3; ids go from 0 to 255")
    }

    @Test(arguments: [
        (PlainPNG.ColorType.rgb, 8, "colours"), (.rgb, 16, "colours"), (.rgbAlpha, 8, "colours"),
        (.grayAlpha, 8, "transparency"), (.grayAlpha, 16, "transparency"),
    ]) func picturesAreNoLabelMaps(_ color: PlainPNG.ColorType, _ bits: Int, _ word: String) throws {
        let file = PlainPNG(4, 3, color, bits: bits, [Int](repeating: 1, count: 12 * color.samples))
        let error = #expect(throws: ImageError.self) { try decodeLabelMap(file.bytes) }
        #expect(error?.reason.contains(word) == true, "\(error?.reason ?? "")")
    }

    /// The same file as a photograph shows its colours.
    @Test func theSameFileIsAPictureToo() throws {
        let gray = PlainPNG(2, 1, .gray, bits: 1, [0, 1])
        #expect(try ImageDecoder.decode(gray.bytes).pixels == [0, 0, 0, 255, 255, 255])
        let palette = PlainPNG(2, 1, .palette, bits: 2, [0, 3])
        #expect(try ImageDecoder.decode(palette.bytes).pixels == [0, 200, 255, 9, 200, 252])
        let wide = PlainPNG(1, 1, .rgbAlpha, bits: 16, [0x1234, 0x80FF, 0xFF00, 0])
        #expect(try ImageDecoder.decode(wide.bytes).pixels == [0x12, 0x80, 0xFE])
    }
}
