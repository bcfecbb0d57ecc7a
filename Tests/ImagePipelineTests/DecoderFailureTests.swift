import Foundation
import ImagePipeline
import TestSupport
import Testing

/// Pictures that end, or memory that runs out, at every place: the C libraries jump out of whatever they were doing.
@Suite struct DecoderFailureTests {
    /// A small picture of each way through the decoders.
    private static let files: [(name: String, bytes: [UInt8])] = {
        let picture = testPicture(40, 36)
        var interlaced = PlainPNG(24, 20, .palette, bits: 4, (0..<480).map { $0 % 16 })
        interlaced.isInterlaced = true
        do {
            return [
                ("rgb.jpg", try encodeJPEG(rgb: picture.pixels, width: 40, height: 36)),
                ("gray.jpg", try encodeJPEG(gray: Array(picture.pixels.prefix(1440)), width: 40, height: 36)),
                ("ink.jpg", base64(PillowFixtures.cmyk)), ("progressive.jpg", base64(progressive)),
                ("rgb.png", try encodePNG(rgb: picture.pixels, width: 40, height: 36)),
                ("interlaced.png", interlaced.bytes),
            ]
        } catch {
            preconditionFailure("cannot draw the test pictures: \(error)")
        }
    }()

    /// 24 × 16 pixels in ten scans, by libjpeg.
    private static let progressive = """
        /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5a
        YVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wgAR
        CAAQABgDASIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAAAAQF/8QAFgEBAQEAAAAAAAAAAAAAAAAAAwAF/9oADAMBAAIQAxAAAAHEuvRQ
        twGn/8QAFhAAAwAAAAAAAAAAAAAAAAAAAAED/9oACAEBAAEFAlMUxTFMUxTP/8QAGREAAgMBAAAAAAAAAAAAAAAAAAQCAxEh/9oACAEDAQE/
        AaWNINcP/8QAGxEAAgEFAAAAAAAAAAAAAAAAAAMBAhEUYWL/2gAIAQIBAT8BqdjbuSno/8QAFBABAAAAAAAAAAAAAAAAAAAAIP/aAAgBAQAG
        PwJf/8QAFhABAQEAAAAAAAAAAAAAAAAAYQAQ/9oACAEBAAE/IS2iiiv/2gAMAwEAAgADAAAAEND/AP/EABURAQEAAAAAAAAAAAAAAAAAACEQ
        /9oACAEDAQE/ECsX/8QAHBEAAgAHAAAAAAAAAAAAAAAAABEBIVGR0eHw/9oACAECAQE/EOZBK9Sbhs//xAAWEAEBAQAAAAAAAAAAAAAAAAAA
        YSD/2gAIAQEAAT8QCCGAB//Z
        """

    private static func base64(_ text: String) -> [UInt8] {
        Array(Data(base64Encoded: text, options: .ignoreUnknownCharacters)!)
    }

    @Test(arguments: files.indices) func aFileThatEndsEarlyIsRefusedWhereverItEnds(_ index: Int) throws {
        let (name, bytes) = Self.files[index]
        let whole = try ImageDecoder.decode(bytes)
        #expect(whole.width > 0)
        for count in 0..<bytes.count {
            let error = #expect(throws: ImageError.self, "\(name), \(count) of \(bytes.count) bytes") {
                try ImageDecoder.decode(Array(bytes.prefix(count)))
            }
            #expect(error?.reason.isEmpty == false)
        }
    }

    /// Each allocation of each way through the decoders and encoders fails once, in a program whose heap knows what was
    /// not given back.
    @Test func everyAllocationMayFail() throws {
        try withTemporaryDirectory { folder in
            let paths = try Self.files.map { file in
                let path = folder + "/" + file.name
                try Data(file.bytes).write(to: URL(fileURLWithPath: path))
                return path
            }
            let result = try runProcess(try MPILauncher.product("decoder-checks"), paths, timeLimit: 60)
            #expect(result.status == 0, "\(result)")
            let failures = result.output.matches(of: /: (\d+) failures/).compactMap { Int($0.1) }
            #expect(failures.count == paths.count + 2 && failures.allSatisfy { $0 >= 3 }, "\(result)")
        }
    }

    /// Each scan of a progressive JPEG is a pass over the whole picture, and costs a few bytes.
    @Test func aFileOfThousandsOfScansIsRefused() throws {
        let bytes = Self.base64(Self.progressive)
        let scans = bytes.indices.dropLast().filter { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xDA }
        let last = try #require(scans.last)
        #expect(scans.count == 10)
        func repeated(_ times: Int) -> [UInt8] {
            let scan = bytes[last..<bytes.count - 2]
            return bytes[..<last] + (0..<times).flatMap { _ in scan } + bytes.suffix(2)
        }
        #expect(try ImageDecoder.decode(repeated(100)).width == 24)
        let error = #expect(throws: ImageError.self) { try ImageDecoder.decode(repeated(5000)) }
        #expect(error?.reason == "has more than 500 scans")
    }

    @Test func encodersSayWhatTheyCannotDo() {
        let jpeg = #expect(throws: ImageError.self) {
            try encodeJPEG(gray: [UInt8](repeating: 0, count: 70_000), width: 70_000, height: 1)
        }
        #expect(jpeg?.reason.contains("65500") == true)
        let png = #expect(throws: ImageError.self) { try encodePNG(gray: [], width: 0, height: 3) }
        #expect(png?.reason.isEmpty == false)
    }
}
