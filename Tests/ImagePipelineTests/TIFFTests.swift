import Foundation
import ImagePipeline
import TensorCore
import TestSupport
import Testing

/// TIFFs as other programs write them (`Tests/References/make_pictures.py`), all of the same 24 × 20 pixels.
@Suite struct TIFFTests {
    private static let width = 24
    private static let height = 20

    private static func file(_ name: String) throws -> [UInt8] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "References/Pictures")
        return Array(try Data(contentsOf: folder.appending(path: name + ".tif")))
    }

    private static func level(_ x: Int, _ y: Int, _ c: Int) -> Int { (x * 13 + y * 7 + c * 50 + x * y * 3) % 256 }

    /// Of 16 bits, to the nearest of 8.
    private static func word(_ x: Int, _ y: Int, _ c: Int) -> Int {
        let value = (x * 1307 + y * 2711 + c * 9001 + x * y * 523) % 65536
        return Int((Double(value) * 255 / 65535).rounded())
    }

    private static func pixels(_ level: (_ x: Int, _ y: Int, _ c: Int) -> Int) -> [UInt8] {
        (0..<width * height * 3).map { UInt8(level($0 / 3 % width, $0 / 3 / width, $0 % 3)) }
    }

    @Test(
        .enabled(if: ImageDecoder.readsTIFF),
        arguments: [
            "rgb8", "rgb8-big", "rgb8-planes", "rgb8-alpha", "rgb8-lzw", "rgb8-packbits", "rgb16-tiles",
            "rgb16-planes-tiles", "gray16", "gray8-white", "gray8-alpha", "gray8-pages", "gray1-fax", "palette8",
        ]) func everyLayoutIsThePicture(_ name: String) throws
    {
        let expected =
            switch name {
            case _ where name.hasPrefix("rgb8"): Self.pixels(Self.level)
            case _ where name.hasPrefix("rgb16"): Self.pixels(Self.word)
            case "gray16": Self.pixels { x, y, _ in Self.word(x, y, 0) }
            case "gray1-fax": Self.pixels { x, y, _ in Self.level(x, y, 0) > 127 ? 255 : 0 }
            case "palette8":
                Self.pixels { x, y, c in
                    let index = Self.level(x, y, 0) / 4
                    return [index, 255 - index, index * 7 % 256][c]
                }
            default: Self.pixels { x, y, _ in Self.level(x, y, 0) }
            }
        let bytes = try Self.file(name), picture = try ImageDecoder.decode(bytes)
        #expect(picture.width == Self.width && picture.height == Self.height)
        #expect(picture.pixels == expected)
        // A part is exactly that part of the whole.
        var generator = KeyedGenerator(3)
        for _ in 0..<20 {
            let width = 1 + generator.integer(below: Self.width), height = 1 + generator.integer(below: Self.height)
            let region = PixelRegion(
                x: generator.integer(below: Self.width - width + 1),
                y: generator.integer(below: Self.height - height + 1), width: width, height: height)
            let part = try ImageDecoder.decode(bytes, region: region, minimumScale: 0.1)
            #expect(part.originX == Double(region.x) && part.originY == Double(region.y) && part.scaleX == 1)
            var rows: [UInt8] = []
            for y in region.y..<region.y + height {
                let start = (y * Self.width + region.x) * 3
                rows += expected[start..<start + width * 3]
            }
            #expect(part.image.pixels == rows, "\(region)")
        }
    }

    @Test(.enabled(if: ImageDecoder.readsTIFF), arguments: ["rgb8-jpeg", "rgb8-jpeg-chroma"])
    func aJPEGInsideIsNearThePicture(_ name: String) throws {
        let picture = try ImageDecoder.decode(try Self.file(name))
        let expected = Self.pixels { x, y, c in x * 5 + y * 3 + c * 30 }
        for (found, wanted) in zip(picture.pixels, expected) {
            #expect(abs(Int(found) - Int(wanted)) <= 6)
        }
    }

    /// The turns of EXIF's eight orientations, as for JPEGs.
    @Test(.enabled(if: ImageDecoder.readsTIFF), arguments: 1...8) func picturesAreTurnedUpright(_ value: Int) throws {
        let bytes = try Self.file("turned\(value)"), (w, h) = (Self.width, Self.height)
        let picture = try ImageDecoder.decode(bytes)
        #expect((picture.width, picture.height) == (value < 5 ? (w, h) : (h, w)))
        for y in 0..<picture.height {
            for x in 0..<picture.width {
                let (column, row) =
                    switch value {
                    case 1: (x, y)
                    case 2: (w - 1 - x, y)
                    case 3: (w - 1 - x, h - 1 - y)
                    case 4: (x, h - 1 - y)
                    case 5: (y, x)
                    case 6: (y, h - 1 - x)
                    case 7: (w - 1 - y, h - 1 - x)
                    default: (w - 1 - y, x)
                    }
                #expect(Int(picture.pixels[(y * picture.width + x) * 3]) == Self.level(column, row, 0), "\(x),\(y)")
            }
        }
        let region = PixelRegion(x: 3, y: 2, width: 9, height: 11)
        let part = try ImageDecoder.decode(bytes, region: region, minimumScale: 1).image
        for y in 0..<11 {
            let whole = ((y + 2) * picture.width + 3) * 3
            #expect(part.pixels[y * 27..<(y + 1) * 27] == picture.pixels[whole..<whole + 27])
        }
    }

    @Test(
        .enabled(if: ImageDecoder.readsTIFF),
        arguments: [
            ("float", "floating-point samples: convert"), ("signed", "signed samples: convert"),
            ("long", "samples of 32 bits: convert it to 8 or 16"), ("bands", "has 4 channels"), ("inks", "CMYK"),
        ]) func whatIsNoPictureOfThreeChannelsIsRefusedWithARemedy(_ name: String, _ words: String) throws
    {
        let error = #expect(throws: ImageError.self) { try ImageDecoder.size(of: try Self.file(name)) }
        #expect(error?.reason.contains(words) == true, "\(error?.reason ?? "")")
    }

    /// Whichever part is wanted.
    @Test(
        .enabled(if: ImageDecoder.readsTIFF),
        arguments: ["rgb8", "rgb8-lzw", "rgb16-tiles", "rgb8-planes", "rgb8-big"])
    func aFileThatEndsEarlyIsRefusedOrWhole(_ name: String) throws {
        let bytes = try Self.file(name), whole = try ImageDecoder.decode(bytes)
        let corner = PixelRegion(x: 0, y: 0, width: 2, height: 2)
        for count in stride(from: 0, to: bytes.count, by: 7) {
            let start = Array(bytes.prefix(count))
            guard let picture = try? ImageDecoder.decode(start) else {
                #expect(throws: ImageError.self) {
                    try ImageDecoder.decode(start, region: corner, minimumScale: 1)
                }
                continue
            }
            // What is missing says nothing of pixels.
            #expect(picture == whole, "\(count) of \(bytes.count) bytes")
        }
    }

    @Test func withoutTheLibraryTheRemedyIsSaid() throws {
        let bytes = try Self.file("rgb8")
        guard !ImageDecoder.readsTIFF else { return }
        let error = #expect(throws: ImageError.self) { try ImageDecoder.size(of: bytes) }
        #expect(error?.reason.contains("install libtiff-dev") == true)
    }

    @Test func aTIFFIsNoLabelMap() throws {
        let error = #expect(throws: ImageError.self) { try decodeLabelMap(try Self.file("rgb8")) }
        #expect(error?.reason == "is a TIFF; label maps must be PNGs")
    }

    @Test(arguments: [1, 2, 4, 16]) func grayPNGsOfAnyDepthAreScaledByTheirRange(_ bits: Int) throws {
        let most = 1 << bits - 1, values = (0..<16).map { $0 * most / 15 }
        let file = PlainPNG(16, 1, .gray, bits: bits, values)
        let expected = values.map { UInt8((Double($0) * 255 / Double(most)).rounded()) }
        #expect(try ImageDecoder.decode(file.bytes).pixels == expected.flatMap { [$0, $0, $0] })
    }

    @Test func sixteenBitsOfPNGsAreRoundedAndNotCut() throws {
        let values = [0, 127, 128, 129, 256, 257, 32767, 32768, 65279, 65407, 65534, 65535]
        for color in [PlainPNG.ColorType.rgb, .rgbAlpha, .grayAlpha, .gray] {
            let file = PlainPNG(12, 1, color, bits: 16, values.flatMap { [Int](repeating: $0, count: color.samples) })
            let expected = values.map { UInt8((Double($0) * 255 / 65535).rounded()) }
            #expect(try ImageDecoder.decode(file.bytes).pixels == expected.flatMap { [$0, $0, $0] }, "\(color)")
        }
    }
}
