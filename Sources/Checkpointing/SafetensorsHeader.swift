import Files

/// The description in front of the numbers in a safetensors file: eight bytes with its length (little-endian), then
/// JSON: `{"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {"key": "text"}}`.
///
/// Format: https://huggingface.co/docs/safetensors. Everything in it is checked before anything is allocated for it.
struct SafetensorsHeader {
    struct Entry: Sendable {
        let name: String
        let elementType: StoredElementType
        let shape: [Int]
        /// In bytes from the end of the header.
        let range: Range<Int>
    }

    /// A header that does not fit its file.
    struct Invalid: Error, CustomStringConvertible {
        let description: String
    }

    /// In the order of the data.
    var entries: [Entry] = []
    var metadata: [String: String] = [:]

    /// The format's own limit, in bytes.
    static let maximumLength = 100_000_000
    private static let maximumDimensions = 64

    /// Reads and checks the JSON of a file that has `dataLength` bytes after it.
    init(json: [UInt8], dataLength: Int) throws {
        var reader = JSONReader(json)
        try reader.object { [maximum = Self.maximumDimensions] reader, name in
            if name == "__metadata__" {
                try reader.object { self.metadata[$1] = try $0.string() }
            } else {
                self.entries.append(try Self.entry(name, &reader, maximumDimensions: maximum))
            }
        }
        try reader.end()
        try orderAndCheckOffsets(dataLength: dataLength)
    }

    /// Lays `tensors` out one after another, those with the largest elements first so that all are aligned.
    init(describing tensors: [some StorableTensor], metadata: [String: String]) {
        self.metadata = metadata
        var offset = 0
        for tensor in Self.stored(tensors) {
            entries.append(
                Entry(
                    name: tensor.name, elementType: tensor.elementType, shape: tensor.shape,
                    range: offset..<offset + tensor.byteCount))
            offset += tensor.byteCount
        }
    }

    /// The order in which tensors are written.
    static func stored<Stored: StorableTensor>(_ tensors: [Stored]) -> [Stored] {
        tensors.sorted { ($1.elementType.byteCount, $0.name) < ($0.elementType.byteCount, $1.name) }
    }

    /// The length and the JSON, filled up with spaces to a multiple of 64 bytes so that the data are aligned.
    var encoded: [UInt8] {
        var members: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { "\($0.quotedAsJSON):\($1.quotedAsJSON)" }
            members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        for entry in entries {
            let shape = entry.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(entry.name.quotedAsJSON):{\"dtype\":\"\(entry.elementType.rawValue)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(entry.range.lowerBound),\(entry.range.upperBound)]}")
        }
        var json = Array("{\(members.joined(separator: ","))}".utf8)
        while (json.count + 8) % 64 != 0 { json.append(UInt8(ascii: " ")) }
        return withUnsafeBytes(of: UInt64(json.count).littleEndian) { Array($0) } + json
    }

    private static func entry(
        _ name: String, _ reader: inout JSONReader, maximumDimensions: Int
    ) throws -> Entry {
        var elementType: StoredElementType?
        var shape: [Int]?
        var offsets: [Int]?
        try reader.object { reader, key in
            switch key {
            case "dtype":
                let text = try reader.string()
                guard let type = StoredElementType(rawValue: text) else {
                    throw reader.failure("tensor '\(name.prefix(200))' has the unknown dtype '\(text.prefix(40))'")
                }
                elementType = type
            case "shape": shape = try integers(&reader, atMost: maximumDimensions)
            case "data_offsets": offsets = try integers(&reader, atMost: 2)
            default: try reader.skipValue()
            }
        }
        guard let elementType, let shape, let offsets, offsets.count == 2 else {
            throw reader.failure("tensor '\(name.prefix(200))' lacks its dtype, shape or data_offsets")
        }
        guard shape.allSatisfy({ $0 >= 0 }), 0 <= offsets[0], offsets[0] <= offsets[1] else {
            throw reader.failure("tensor '\(name.prefix(200))' has a negative size")
        }
        guard byteCount(elementType, shape) == offsets[1] - offsets[0] else {
            throw reader.failure(
                "tensor '\(name.prefix(200))' of \(elementType.rawValue) \(shape.prefix(8)) does not take the "
                    + "\(offsets[1] - offsets[0]) bytes it is given")
        }
        return Entry(name: name, elementType: elementType, shape: shape, range: offsets[0]..<offsets[1])
    }

    private static func integers(_ reader: inout JSONReader, atMost limit: Int) throws -> [Int] {
        var values: [Int] = []
        try reader.array { reader in
            guard values.count < limit else { throw reader.failure("more than \(limit) numbers") }
            values.append(try reader.integer())
        }
        return values
    }

    /// nil when the size exceeds 64 bits, before a zero is reached.
    private static func byteCount(_ elementType: StoredElementType, _ shape: [Int]) -> Int? {
        var count = elementType.byteCount
        for dimension in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
            if overflow { return nil }
            count = product
        }
        return count
    }

    /// The data must be covered exactly once: no hole, no overlap, nothing left over.
    private mutating func orderAndCheckOffsets(dataLength: Int) throws {
        entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        var end = 0
        for entry in entries {
            guard entry.range.lowerBound == end else {
                let what = entry.range.lowerBound < end ? "overlaps the tensor before it" : "leaves a hole before it"
                throw Invalid(description: "tensor '\(entry.name.prefix(200))' \(what)")
            }
            end = entry.range.upperBound
        }
        guard end == dataLength else {
            throw Invalid(description: "it describes \(end) bytes of numbers, but \(dataLength) follow it")
        }
    }
}
