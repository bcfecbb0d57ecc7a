import Checkpointing
import Files
import Foundation
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// A file with `header` as its JSON and `data` zero bytes after it, its length stated as `length` if given.
private func makeFile(_ header: String, data: Int = 0, length: UInt64? = nil) -> [UInt8] {
    let json = Array(header.utf8)
    return withUnsafeBytes(of: (length ?? UInt64(json.count)).littleEndian) { Array($0) } + json
        + [UInt8](repeating: 0, count: data)
}

private func write(_ bytes: [UInt8], to path: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
}

private func makeSample() -> [NamedTensor] {
    [
        NamedTensor(name: "weight", tensor: Tensor([2, 3], [1, -2, 3.5, .infinity, 0, -0.0])),
        NamedTensor(name: "a \"quoted\"\\name\nü\u{1}", tensor: Tensor([1], [7])),
        NamedTensor(name: "steps", integers: [1, .min, .max]),
        NamedTensor(name: "flags", elementType: .uint8, shape: [3]),
        NamedTensor(name: "half", elementType: .float16, shape: [5]),
        NamedTensor(name: "empty", elementType: .float32, shape: [0, 9]),
        NamedTensor(name: "scalar", scalar: -5),
    ]
}

struct SafetensorsTests {
    @Test func whatIsWrittenIsRead() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/x.safetensors"
            let sample = makeSample()
            try SafetensorsFile.write(
                sample, metadata: ["format": "pt", "key \"": "line\n\t\u{1F600}"], to: FilePath(path))
            let file = try SafetensorsFile(path: FilePath(path))
            #expect(file.metadata == ["format": "pt", "key \"": "line\n\t\u{1F600}"])
            #expect(Set(file.tensors.map(\.name)) == Set(sample.map(\.name)))
            for tensor in sample {
                let read = try file.read(tensor.name)
                #expect(read.shape == tensor.shape && read.elementType == tensor.elementType)
                #expect(read.withBytes { Array($0) } == tensor.withBytes { Array($0) })
            }
            #expect(try file.readTensor("weight").array == [1, -2, 3.5, .infinity, 0, -0.0])
            #expect(try file.read("steps").integers == [1, .min, .max])
            #expect(try file.read("scalar").integers == [-5])
            #expect(file.description(of: "nothing") == nil)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["x.safetensors"])
        }
    }

    @Test func halvesAndDoublesBecomeFloats() {
        func tensor(_ type: StoredElementType, _ bytes: [UInt8]) -> [Float]? {
            let tensor = NamedTensor(name: "x", elementType: type, shape: [bytes.count / type.byteCount])
            tensor.withMutableBytes { $0.copyBytes(from: bytes) }
            return tensor.floats
        }
        let halves: [(UInt16, Float)] = [
            (0x3C00, 1), (0xC000, -2), (0x7BFF, 65504), (0x0001, 0x1p-24), (0x83FF, -0x3FFp-24), (0x7C00, .infinity),
            (0x3555, 0.33325195), (0x8000, -0.0),
        ]
        for (bits, value) in halves {
            #expect(tensor(.float16, [UInt8(bits & 0xFF), UInt8(bits >> 8)])?[0].bitPattern == value.bitPattern)
        }
        #expect(tensor(.float16, [0, 0x7E])![0].isNaN)
        #expect(tensor(.bfloat16, [0x80, 0x3F, 0xC0, 0xC0]) == [1, -6])
        #expect(tensor(.float64, withUnsafeBytes(of: 0.1) { Array($0) }) == [Float(0.1)])
        #expect(tensor(.int64, [0, 0, 0, 0, 0, 0, 0, 0]) == nil)
    }

    @Test func wrongRequestsAreErrors() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/x.safetensors"
            let sample = makeSample()
            try SafetensorsFile.write(sample, to: FilePath(path))
            let file = try SafetensorsFile(path: FilePath(path))
            #expect(throws: FileError.self) { try file.read("nothing") }
            #expect(throws: FileError.self) { try file.readTensor("steps") }
            #expect(throws: FileError.self) {
                try file.read(into: NamedTensor(name: "weight", tensor: Tensor([3, 2])))
            }
            #expect(throws: FileError.self) { try SafetensorsFile(path: FilePath(directory + "/none.safetensors")) }
            #expect(throws: FileError.self) { try SafetensorsFile(path: FilePath(directory)) }
            #expect(throws: FileError.self) { try SafetensorsFile.write(sample, to: "\(directory)/no/x.safetensors") }
        }
    }

    @Test func aFileThatShrinksIsAnError() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/x.safetensors"
            try SafetensorsFile.write([NamedTensor(name: "x", tensor: .zeros([100]))], to: FilePath(path))
            let file = try SafetensorsFile(path: FilePath(path))
            truncate(path, 200)
            #expect(throws: FileError.self) { try file.read("x") }
        }
    }

    static let lies: [(name: String, bytes: [UInt8])] = [
        ("empty file", []),
        ("seven bytes", [1, 0, 0, 0, 0, 0, 0]),
        ("no header", makeFile("")),
        ("longer than the file", makeFile("{}", length: 3)),
        ("longer than allowed", makeFile("{}", length: 100_000_001)),
        ("negative length", makeFile("{}", length: .max)),
        ("length of 2^63", makeFile("{}", length: 1 << 63)),
        ("no JSON", makeFile("hello")),
        ("an array", makeFile("[]")),
        ("open object", makeFile("{\"x\":")),
        ("something after the end", makeFile("{} {}")),
        ("trailing comma", makeFile("{\"__metadata__\":{},}")),
        ("control character", makeFile("{\"a\nb\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}")),
        ("half a surrogate pair", makeFile("{\"\\ud800\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}")),
        ("not UTF-8", makeFile("{\"") + [0xFF, 0xFE]),
        ("nested deeply", makeFile("{\"x\":{\"y\":" + String(repeating: "[", count: 100_000))),
        ("metadata of numbers", makeFile("{\"__metadata__\":{\"x\":1}}")),
        ("a tensor that is a number", makeFile("{\"x\":1}")),
        ("no dtype", makeFile("{\"x\":{\"shape\":[1],\"data_offsets\":[0,4]}}", data: 4)),
        ("no shape", makeFile("{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", data: 4)),
        ("no offsets", makeFile("{\"x\":{\"dtype\":\"F32\",\"shape\":[1]}}", data: 4)),
        ("one offset", makeFile("{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", data: 4)),
        ("three offsets", makeFile("{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", data: 4)),
        ("unknown dtype", makeFile("{\"x\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", data: 4)),
        ("shape does not fit", makeFile("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", data: 4)),
        (
            "negative dimension",
            makeFile("{\"x\":{\"dtype\":\"F32\",\"shape\":[-1,-1],\"data_offsets\":[0,4]}}", data: 4)
        ),
        ("negative offsets", makeFile("{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", data: 4)),
        (
            "offsets the wrong way",
            makeFile("{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", data: 4)
        ),
        ("beyond the end", makeFile("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", data: 4)),
        ("data left over", makeFile("{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", data: 5)),
        ("data without tensors", makeFile("{}", data: 5)),
        ("fractional size", makeFile("{\"x\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,6]}}", data: 6)),
        ("exponents", makeFile("{\"x\":{\"dtype\":\"F32\",\"shape\":[1e0],\"data_offsets\":[0,4]}}", data: 4)),
        (
            "a product that overflows",
            makeFile(
                "{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}")
        ),
        (
            "an overflow hidden by a zero",
            makeFile(
                "{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4,0],\"data_offsets\":[0,0]}}")
        ),
        (
            "a number over 64 bits",
            makeFile(
                "{\"x\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,0]}}")
        ),
        (
            "too many dimensions",
            makeFile(
                "{\"x\":{\"dtype\":\"U8\",\"shape\":[\(String(repeating: "1,", count: 5000))1],\"data_offsets\":[0,1]}}",
                data: 1)
        ),
        (
            "the same tensor twice",
            makeFile(
                "{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                    + "\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", data: 2)
        ),
        (
            "the same key twice",
            makeFile(
                "{\"x\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", data: 1)
        ),
        (
            "overlap",
            makeFile(
                "{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                    + "\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", data: 3)
        ),
        (
            "hole",
            makeFile(
                "{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                    + "\"y\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}", data: 3)
        ),
    ]

    @Test func lyingHeadersAreErrorsThatNameTheFile() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/lie.safetensors"
            for (name, bytes) in Self.lies {
                try write(bytes, to: path)
                do {
                    _ = try SafetensorsFile(path: FilePath(path))
                    Issue.record("accepted: \(name)")
                } catch let error as FileError {
                    #expect(error.path.string == path && error.reason.contains("copy it again"), "\(name): \(error)")
                    #expect(error.description.utf8.count < 1000, "\(name)")
                }
            }
        }
    }

    @Test func unknownMembersAreSkipped() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/x.safetensors"
            let header = """
                 {"x" : {"new":[{"a":[1e-3,true,null,false,"\\u00e9"]},-0.5E+7], "dtype":"U8","shape":[ ],
                "data_offsets":[0,1]}}
                """
            try write(makeFile(header, data: 1), to: path)
            #expect(try SafetensorsFile(path: FilePath(path)).read("x").integers == [0])
        }
    }

    /// Every mutation is either refused or read to its end.
    @Test func mutationsNeverCrash() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/x.safetensors"
            let sample = makeSample()
            try SafetensorsFile.write(sample, metadata: ["k": "v"], to: FilePath(path))
            let original = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            var generator = KeyedGenerator(2024)
            var refused = 0
            for _ in 0..<2000 {
                var bytes = original
                for _ in 0...generator.integer(below: 3) {
                    let place = generator.integer(below: bytes.count)
                    switch generator.integer(below: 5) {
                    case 0: bytes[place] = UInt8(generator.integer(below: 256))
                    case 1: bytes[place] ^= 1 << UInt8(generator.integer(below: 8))
                    case 2: bytes.removeSubrange(place..<min(place + 1 + generator.integer(below: 9), bytes.count))
                    case 3: bytes.insert(contentsOf: bytes[place...].prefix(generator.integer(below: 30)), at: place)
                    default: bytes.insert("{}[]\",:-e0\\u".utf8.randomElement(using: &generator)!, at: place)
                    }
                    if bytes.isEmpty { bytes = [0] }
                }
                try write(bytes, to: path)
                do {
                    let file = try SafetensorsFile(path: FilePath(path))
                    for tensor in file.tensors { _ = try file.read(tensor.name) }
                } catch is FileError {
                    refused += 1
                }
            }
            #expect(refused > 1000 && refused < 2000)
        }
    }
}
