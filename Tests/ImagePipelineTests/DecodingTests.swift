import Foundation
import ImagePipeline
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// A smooth picture with edges, of any size.
func testPicture(_ width: Int, _ height: Int) -> RGBImage {
    var generator = KeyedGenerator(UInt64(width), UInt64(height))
    let noise = (0..<width * height).map { _ in Int(generator.integer(below: 24)) }
    return RGBImage(
        width: width, height: height,
        pixels: (0..<width * height * 3).map { i in
            let (x, y, c) = (i / 3 % width, i / 3 / width, i % 3)
            let wave = 90 * sin(Double(x + 20 * c) / 9) + 60 * cos(Double(y) / 7)
            return UInt8(clamping: 128 + Int(wave) + noise[i / 3] + ((x / 16 + y / 16) % 2) * 30)
        })
}

/// Inserts an EXIF block with an orientation behind the start of a JPEG.
func withOrientation(_ jpeg: [UInt8], _ value: UInt8) -> [UInt8] {
    let tiff: [UInt8] =
        Array("II".utf8) + [42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, value, 0, 0, 0, 0, 0, 0, 0]
    let body = Array("Exif\0\0".utf8) + tiff
    let length = body.count + 2
    return Array(jpeg.prefix(2)) + [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 255)] + body + jpeg.dropFirst(2)
}

@Suite struct DecodingTests {
    @Test func aRegionIsExactlyThatPartOfTheWhole() throws {
        let picture = testPicture(237, 151)
        let bytes = try encodeJPEG(rgb: picture.pixels, width: 237, height: 151)
        let whole = try ImageDecoder.decode(bytes)
        var generator = KeyedGenerator(1)
        for _ in 0..<60 {
            let width = 1 + generator.integer(below: 237), height = 1 + generator.integer(below: 151)
            let region = PixelRegion(
                x: generator.integer(below: 238 - width), y: generator.integer(below: 152 - height), width: width,
                height: height)
            let part = try ImageDecoder.decode(bytes, region: region, minimumScale: 1)
            let (left, top) = (Int(part.originX), Int(part.originY))
            for y in region.y..<region.y + height {
                let mine = ((y - top) * part.image.width + region.x - left) * 3, theirs = (y * 237 + region.x) * 3
                #expect(
                    part.image.pixels[mine..<mine + width * 3] == whole.pixels[theirs..<theirs + width * 3],
                    "\(region), row \(y)")
            }
        }
    }

    @Test(arguments: [2, 4, 8]) func aFractionIsTheMeanOfBlocks(_ divisor: Int) throws {
        let picture = testPicture(160, 96)
        let bytes = try encodeJPEG(rgb: picture.pixels, width: 160, height: 96, quality: 95)
        let whole = try ImageDecoder.decode(bytes)
        let region = PixelRegion(x: 0, y: 0, width: 160, height: 96)
        let part = try ImageDecoder.decode(bytes, region: region, minimumScale: 1 / Double(divisor))
        #expect(part.image.width == 160 / divisor && part.scaleX == 1 / Double(divisor))
        var difference = 0.0
        for y in 0..<part.image.height {
            for x in 0..<part.image.width {
                for c in 0..<3 {
                    var sum = 0
                    for dy in 0..<divisor {
                        for dx in 0..<divisor {
                            sum += Int(whole.pixels[((y * divisor + dy) * 160 + x * divisor + dx) * 3 + c])
                        }
                    }
                    let mean = Double(sum) / Double(divisor * divisor)
                    difference += abs(mean - Double(part.image.pixels[(y * part.image.width + x) * 3 + c]))
                }
            }
        }
        #expect(difference / Double(part.image.pixels.count) < 2)
    }

    /// The turns of EXIF's eight orientations, written out.
    @Test(arguments: 1...8) func orientationsStandUpright(_ orientation: Int) throws {
        let (w, h) = (40, 24)
        let stored = testPicture(w, h)
        let bytes = withOrientation(
            try encodeJPEG(rgb: stored.pixels, width: w, height: h, quality: 100), UInt8(orientation))
        let plain = try ImageDecoder.decode(try encodeJPEG(rgb: stored.pixels, width: w, height: h, quality: 100))
        let upright = try ImageDecoder.decode(bytes)
        let transposes = orientation >= 5
        #expect(upright.width == (transposes ? h : w) && upright.height == (transposes ? w : h))
        for y in 0..<upright.height {
            for x in 0..<upright.width {
                let (sx, sy): (Int, Int)
                switch orientation {
                case 1: (sx, sy) = (x, y)
                case 2: (sx, sy) = (w - 1 - x, y)
                case 3: (sx, sy) = (w - 1 - x, h - 1 - y)
                case 4: (sx, sy) = (x, h - 1 - y)
                case 5: (sx, sy) = (y, x)
                case 6: (sx, sy) = (y, h - 1 - x)
                case 7: (sx, sy) = (w - 1 - y, h - 1 - x)
                default: (sx, sy) = (w - 1 - y, x)
                }
                let mine = (y * upright.width + x) * 3, theirs = (sy * w + sx) * 3
                #expect(upright.pixels[mine..<mine + 3] == plain.pixels[theirs..<theirs + 3], "\(x),\(y)")
            }
        }
        // A region of the upright picture is the same part of it.
        let region = PixelRegion(x: 3, y: 5, width: 9, height: 11)
        let part = try ImageDecoder.decode(bytes, region: region, minimumScale: 1)
        for y in region.y..<region.y + region.height {
            let mine = ((y - Int(part.originY)) * part.image.width + region.x - Int(part.originX)) * 3
            let theirs = (y * upright.width + region.x) * 3
            #expect(part.image.pixels[mine..<mine + 27] == upright.pixels[theirs..<theirs + 27])
        }
    }

    @Test func grayAndInkAreRead() throws {
        let gray = try ImageDecoder.decode(try encodeJPEG(gray: [UInt8](repeating: 90, count: 64), width: 8, height: 8))
        #expect(gray.pixels.allSatisfy { abs(Int($0) - 90) <= 1 })
        let data = try #require(Data(base64Encoded: PillowFixtures.cmyk, options: .ignoreUnknownCharacters))
        let ink = try ImageDecoder.decode(Array(data))
        for (column, expected) in [(1, PillowFixtures.cmykLeft), (6, PillowFixtures.cmykRight)] {
            for c in 0..<3 { #expect(abs(Int(ink.pixels[(2 * 8 + column) * 3 + c]) - expected[c]) <= 2) }
        }
    }

    @Test func pngsKeepTheirPixelsAndLabelMapsTheirIds() throws {
        let picture = testPicture(31, 17)
        #expect(try ImageDecoder.decode(try encodePNG(rgb: picture.pixels, width: 31, height: 17)) == picture)
        let ids = (0..<31 * 17).map { UInt8($0 % 7) }
        let map = try decodeLabelMap(try encodePNG(gray: ids, width: 31, height: 17))
        #expect(map.ids == ids && map.width == 31 && map.height == 17)
        #expect(throws: ImageError.self) {
            try decodeLabelMap(try encodePNG(rgb: picture.pixels, width: 31, height: 17))
        }
    }

    @Test func whatIsNoPictureSaysSo() throws {
        let jpeg = try encodeJPEG(rgb: testPicture(64, 64).pixels, width: 64, height: 64)
        var huge = jpeg
        let frame = try #require(zip(huge, huge.dropFirst()).enumerated().first { $1 == (0xFF, 0xC0) }?.offset)
        huge.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0xDC, 0xFF, 0xDC])
        let cases: [([UInt8], String)] = [
            ([], "empty"), (Array("GIF89a…".utf8), "GIF"), (Array("BM......".utf8), "BMP"),
            (Array("RIFF....WEBPVP8 ".utf8), "WebP"), (Array("<html>".utf8), "web page"),
            (Array(jpeg.prefix(jpeg.count / 2)), "truncated"), (Array(jpeg.dropLast(2)), "truncated"),
            (Array(jpeg.prefix(2)), "not a JPEG"), (huge, "65500"),
        ]
        for (bytes, word) in cases {
            let error = #expect(throws: ImageError.self) { try ImageDecoder.decode(bytes) }
            #expect(error?.reason.contains(word) == true, "\(word): \(error?.reason ?? "")")
        }
        // Garbage behind the end changes nothing.
        #expect(try ImageDecoder.decode(jpeg + [UInt8](repeating: 7, count: 999)) == ImageDecoder.decode(jpeg))
    }

    @Test func changedBytesNeverCrash() throws {
        let picture = testPicture(48, 40)
        let files = [
            withOrientation(try encodeJPEG(rgb: picture.pixels, width: 48, height: 40), 6),
            try encodePNG(rgb: picture.pixels, width: 48, height: 40),
        ]
        var generator = KeyedGenerator(5)
        var readable = 0
        for file in files {
            for _ in 0..<1500 {
                var bytes = file
                for _ in 0..<1 + generator.integer(below: 4) {
                    bytes[generator.integer(below: bytes.count)] = UInt8(truncatingIfNeeded: generator.next())
                }
                if generator.chance(0.2) { bytes = Array(bytes.prefix(generator.integer(below: bytes.count))) }
                do {
                    _ = try ImageDecoder.decode(
                        bytes, region: PixelRegion(x: 4, y: 4, width: 20, height: 20), minimumScale: 0.5)
                    readable += 1
                } catch let error as ImageError {
                    #expect(!error.reason.isEmpty)
                }
            }
        }
        #expect(readable > 100)
    }
}

@Suite struct OddPictureTests {
    /// What people's folders hold under the names of pictures.
    @Test func oddFilesAreUsedOrSkippedWithTheirReason() throws {
        let picture = testPicture(60, 40)
        let jpeg = try encodeJPEG(rgb: picture.pixels, width: 60, height: 40)
        let png = try encodePNG(rgb: picture.pixels, width: 60, height: 40)
        var headless = jpeg
        headless[0] = 0
        var exif = withOrientation(jpeg, 3)
        exif.replaceSubrange(20..<24, with: [0xFF, 0xFF, 0xFF, 0xFF])
        let used: [String: [UInt8]] = [
            "Name With Spaces (1).JPG": jpeg, "имя-ñ-写真.jpeg": jpeg, "png-named.JPEG": png, "jpeg-named.png": jpeg,
            "rgba.png": PlainPNG(2, 1, .rgbAlpha, [1, 2, 3, 4, 5, 6, 7, 8]).bytes, "behind.jpg": jpeg + [1, 2, 3],
            "one.jpg": try encodeJPEG(rgb: [9, 9, 9], width: 1, height: 1), "exif.jpg": exif,
            "thin.jpg": try encodeJPEG(gray: [UInt8](repeating: 5, count: 1500), width: 1500, height: 1),
        ]
        let skipped: [String: ([UInt8], String)] = [
            "half.jpg": (Array(jpeg.prefix(jpeg.count / 2)), "truncated"), "empty.jpg": ([], "empty"),
            "no-end.jpg": (jpeg.dropLast(2), "truncated"), "headless.jpg": (headless, "not a JPEG"),
            "animated.jpg": (Array("GIF89a".utf8), "a GIF"), "page.jpg": (Array("<!DOCTYPE html>".utf8), "a web page"),
            "half.png": (Array(png.prefix(png.count / 2)), "truncated"),
        ]
        try withTemporaryDirectory { folder in
            for (name, bytes) in used.merging(skipped.mapValues(\.0), uniquingKeysWith: { $1 }) {
                try Data(bytes).write(to: URL(fileURLWithPath: folder + "/" + name))
            }
            try Data("x".utf8).write(to: URL(fileURLWithPath: folder + "/Thumbs.db"))
            let scan = try DataScan(roots: [FilePath(folder)])
            #expect(scan.used == used.count && scan.leftOut.ignored == [".db": 1], "\(scan.report)")
            let reasons = scan.leftOut.skipped.map { (String($0.path.dropFirst(folder.count + 1)), $0.reason) }
            #expect(Set(reasons.map(\.0)) == Set(skipped.keys), "\(scan.report)")
            for (name, reason) in reasons {
                #expect(reason.contains(try #require(skipped[name]).1), "\(name): \(reason)")
            }
        }
    }
}
