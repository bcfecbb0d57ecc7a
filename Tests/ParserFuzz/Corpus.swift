import Checkpointing
import DataParallel
import Foundation
import ImagePipeline
import PixelLearning
import SystemPackage
import TensorCore
import TestSupport
import Training

/// A parser of outside data and sound inputs for it.
struct Parser {
    let name: String
    var samples: [[UInt8]]
    let read: ([UInt8]) throws -> Void
}

struct NoTextError: Error {}

/// Every parser, with inputs that this program makes itself and those of a folder.
struct Corpus {
    private(set) var parsers: [Parser]
    private let scratch: String

    init(folder: String?) throws {
        // In memory, where the system has such a folder: each input is written and read once.
        let base = FileManager.default.fileExists(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
        let scratch = base + "/pixpro-fuzz-\(getpid())"
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        self.scratch = scratch
        parsers = try [
            Self.safetensors(scratch), Self.manifest(), Self.jpeg(), Self.png(), Self.tar(scratch), Self.yaml(),
        ]
        parsers += try DenseParsers.all(scratch)
        if ImageDecoder.readsTIFF { parsers.append(try Self.tiff()) }
        if let folder { try add(folder) }
    }

    func removeScratch() {
        do { try FileManager.default.removeItem(atPath: scratch) } catch { print("cannot remove \(scratch): \(error)") }
    }

    private mutating func add(_ folder: String) throws {
        let parts = [
            "safetensors": 0, "json": 1, "jpg": 2, "jpeg": 2, "png": 3, "tar": 4, "yaml": 5, "xml": 7, "txt": 8,
        ].merging(ImageDecoder.readsTIFF ? ["tif": parsers.count - 1, "tiff": parsers.count - 1] : [:]) { $1 }
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder).sorted() {
            guard let parser = parts[(name as NSString).pathExtension.lowercased()] else { continue }
            parsers[parser].samples.append(Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name))))
        }
    }

    private static func tensors() -> [NamedTensor] {
        [
            NamedTensor(
                name: "encoder.conv1.weight", tensor: Tensor([2, 3, 3, 3], [Float](repeating: 0.5, count: 54))),
            NamedTensor(name: "bias", tensor: Tensor([7], [Float](repeating: 1, count: 7))),
            NamedTensor(name: "empty", tensor: Tensor([0, 4])), NamedTensor(name: "counter", integers: [3, -1]),
        ]
    }

    private static func safetensors(_ scratch: String) throws -> Parser {
        let path = scratch + "/sample.safetensors"
        try SafetensorsFile.write(tensors(), metadata: ["format": "pt"], to: FilePath(path))
        let sample = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        return Parser(name: "safetensors", samples: [sample]) { bytes in
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let file = try SafetensorsFile(path: FilePath(path))
            for tensor in file.tensors { _ = try file.read(tensor.name) }
        }
    }

    /// Every other manifest gets the checksum that it needs to be parsed.
    private static func manifest() -> Parser {
        let facts = CheckpointFacts(
            step: 100, samplesSeen: 2400, seed: 1, configuration: RunConfiguration(task: PretrainingSettings()).yaml(),
            architecture: ["architecture": "resnet18"], counters: ["epoch": 3, "samplesInEpoch": 8])
        let manifest = CheckpointManifest(
            facts: facts,
            shards: [
                CheckpointManifest.Shard(file: "shard-00001-of-00001.safetensors", byteCount: 400, checksum: "0123abcd")
            ],
            tensors: tensors().map {
                CheckpointManifest.StoredTensor(name: $0.name, elementType: $0.elementType, shape: $0.shape, shard: 0)
            })
        let sealLength = CheckpointManifest.seal(CRC32C()).count
        return Parser(name: "manifest", samples: [manifest.encoded]) { bytes in
            let body = Array(bytes.dropLast(sealLength))
            let manifest = try CheckpointManifest(
                bytes.count % 2 == 0 ? body + CheckpointManifest.seal(CRC32C.of(body)) : bytes)
            _ = manifest.byteCount
        }
    }

    private static func picture(_ size: Int) -> [UInt8] {
        (0..<size * size * 3).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 3) }
    }

    private static func jpeg() throws -> Parser {
        let samples = try [
            encodeJPEG(rgb: picture(40), width: 40, height: 40),
            encodeJPEG(rgb: picture(33), width: 33, height: 33, quality: 20),
            encodeJPEG(gray: Array(picture(24).prefix(576)), width: 24, height: 24),
        ]
        return Parser(name: "JPEG", samples: samples, read: readPicture)
    }

    private static func png() throws -> Parser {
        let samples = try [
            encodePNG(rgb: picture(24), width: 24, height: 24),
            encodePNG(gray: Array(picture(24).prefix(576)), width: 24, height: 24),
            wide(.rgbAlpha).bytes, wide(.gray).bytes,
        ]
        return Parser(name: "PNG", samples: samples) { bytes in
            // Every other input gets right checksums, or little would pass the first look.
            let bytes = bytes.count % 2 == 0 ? withRightChecksums(bytes) : bytes
            do { try readPicture(bytes) } catch { _ = try decodeLabelMap(bytes) }
        }
    }

    /// Of 16 bits, interlaced.
    private static func wide(_ color: PlainPNG.ColorType) -> PlainPNG {
        var file = PlainPNG(11, 9, color, bits: 16, (0..<99 * color.samples).map { $0 * 4099 % 65536 })
        file.isInterlaced = true
        return file
    }

    /// Pictures that other programs wrote; see `Tests/References/make_pictures.py`.
    private static func tiff() throws -> Parser {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "References/Pictures")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "tif" }.sorted { $0.path < $1.path }
        return Parser(
            name: "TIFF", samples: try files.map { Array(try Data(contentsOf: $0)) }, read: readPicture)
    }

    /// A PNG whose chunks (length, name, contents, CRC-32) all have the checksum that they need.
    private static func withRightChecksums(_ png: [UInt8]) -> [UInt8] {
        var bytes = png, start = 8
        while start + 12 <= bytes.count {
            let length = bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
            let end = start + 8 + length
            guard end + 4 <= bytes.count else { break }
            var crc: UInt32 = ~0
            for byte in bytes[start + 4..<end] {
                crc ^= UInt32(byte)
                for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
            }
            for index in 0..<4 { bytes[end + index] = UInt8(truncatingIfNeeded: ~crc >> UInt32(24 - 8 * index)) }
            start = end + 4
        }
        return bytes
    }

    /// As training and evaluation read pictures: whole, and a region at a lower resolution.
    private static func readPicture(_ bytes: [UInt8]) throws {
        let size = try ImageDecoder.size(of: bytes)
        // Files that claim to be huge are decoded in part only: what counts is that they cannot harm.
        if size.width * size.height < 1 << 22 { _ = try ImageDecoder.decode(bytes) }
        let region = PixelRegion(
            x: size.width / 4, y: size.height / 4, width: max(size.width / 2, 1), height: max(size.height / 2, 1))
        _ = try ImageDecoder.decode(bytes, region: region, minimumScale: 0.5)
    }

    private static func tar(_ scratch: String) throws -> Parser {
        let images = scratch + "/images/cat"
        try FileManager.default.createDirectory(atPath: images, withIntermediateDirectories: true)
        for name in ["a.jpg", "b.jpg"] {
            try Data(encodeJPEG(rgb: picture(16), width: 16, height: 16)).write(
                to: URL(fileURLWithPath: images + "/" + name))
        }
        _ = try DataPack(
            ImageIndex(roots: [FilePath(scratch + "/images")]), into: FilePath(scratch + "/packed"),
            maximumBytes: 1 << 20)
        let name = try FileManager.default.contentsOfDirectory(atPath: scratch + "/packed").first {
            $0.hasSuffix(".tar")
        }!
        let sample = Array(try Data(contentsOf: URL(fileURLWithPath: scratch + "/packed/" + name)))
        let path = scratch + "/input.tar"
        return Parser(name: "tar", samples: [sample]) { bytes in
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let index = try ImageIndex(roots: [FilePath(path)])
            for picture in 0..<index.count { _ = try index.bytes(of: picture) }
        }
    }

    /// Files, and every third input as the value of a key on the command line. What is read is planned, and what is
    /// written of it reads back equal.
    private static func yaml() -> Parser {
        let samples = [
            RunConfiguration(task: PretrainingSettings()).yaml(),
            "run: {directory: runs/a, seed: 1}\ndata: {roots: [a, b]}\n",
            "evaluation:\n  segmentation: {classes: 3, train: {images: a, labels: b}}\n# ü\nprecision: auto\n",
            "x-base: &base {momentum: 0.5, <<: {weightDecay: 0}}\noptimizer: {<<: [*base, {name: sgd}], momentum: 0.1}\n",
            "x-0: &a {seed: 1}\nx-1: &b {<<: [*a, *a]}\nx-2: &c {<<: [*b, *b]}\nrun: {<<: *c}\n",
            "run: {directory: !literal \"~/\\e[31m\\uFEFF\\U0001F600\\L #\"}\ndata: {roots: ['~', ~/a, \"null\", 'it''s']}\n",
            "data: {minimumCrop: 1.0e-300, augmentation: {view1: {blur: 0}, minimumAspect: 0.5}}\nbatch: {perRank: 9}\n",
            "\"a b\"", "'it''s'", "[a, \"b c\", ~/d]", "~/runs/#1: &x", "schedule: {epochs: 9223372036854775807}\n",
        ]
        return Parser(name: "YAML", samples: samples.map { Array($0.utf8) }) { bytes in
            guard let text = String(validating: bytes, as: UTF8.self) else { throw NoTextError() }
            let isValue = bytes.count % 3 == 0
            let overrides = isValue ? ["run.directory=\(text)", "data.roots=\(text)"] : []
            let configuration = try RunConfiguration.parse(
                yaml: isValue ? "" : text, name: "fuzz.yaml", overrides: overrides,
                tasks: [PretrainingSettings.self]
            ).configuration
            let readBack = try RunConfiguration.parse(
                yaml: configuration.yaml(), name: "fuzz.yaml", tasks: [PretrainingSettings.self]
            ).configuration
            precondition(readBack == configuration, "a configuration that does not read back equal")
            _ = try BatchPlan(configuration: configuration, ranks: BatchPlan.mostRanks(configuration, available: 3))
        }
    }
}
