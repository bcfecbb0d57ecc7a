import Files

/// What is wrong with a file of PyTorch's; whoever knows the file adds its name.
struct PyTorchFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A part of a file, read front to back in pieces. Lengths are held against what is left before anything is made of them.
struct PickleInput {
    private let file: any ReadableFile
    private let end: Int
    /// In the file.
    private(set) var position: Int
    private var piece: [UInt8] = []
    private var pieceStart = 0

    init(_ file: any ReadableFile, _ range: Range<Int>) {
        (self.file, position, end) = (file, range.lowerBound, range.upperBound)
    }

    mutating func byte() throws -> UInt8 {
        guard position < end else { throw PyTorchFailure("ends inside its pickle; it was cut short") }
        if !(pieceStart..<pieceStart + piece.count).contains(position) {
            piece = try file.bytes(position..<min(position + 1 << 16, end))
            pieceStart = position
        }
        defer { position += 1 }
        return piece[position - pieceStart]
    }

    mutating func bytes(_ count: Int) throws -> [UInt8] {
        guard count >= 0, count <= end - position else {
            throw PyTorchFailure("claims a text of \(count) bytes, but \(end - position) are left")
        }
        defer { position += count }
        return try file.bytes(position..<position + count)
    }

    /// An unsigned number of so many bytes, little-endian; one that is past 63 bits is an error.
    mutating func number(bytes count: Int) throws -> Int {
        var value: UInt64 = 0
        for place in 0..<count { value |= UInt64(try byte()) << UInt64(8 * place) }
        guard let number = Int(exactly: value) else { throw PyTorchFailure("has a number that is too large") }
        return number
    }

    /// Passes over bytes, which are there.
    mutating func skip(_ count: Int) { position += count }

    mutating func text(_ count: Int) throws -> String { String(decoding: try bytes(count), as: UTF8.self) }

    /// Up to the end of the line.
    mutating func line() throws -> String {
        var line: [UInt8] = []
        while true {
            let byte = try byte()
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
    }
}
