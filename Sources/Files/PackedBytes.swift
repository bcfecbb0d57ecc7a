/// Numbers and texts in a row of bytes, for messages between ranks: what `PackedReader` reads back in the same order.
package struct PackedWriter {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func add(_ number: Int) { withUnsafeBytes(of: Int64(number).littleEndian) { bytes += $0 } }

    package mutating func add(_ number: Double) { add(Int(Int64(bitPattern: number.bitPattern))) }

    package mutating func add(_ text: [UInt8]) {
        add(text.count)
        bytes += text
    }

    package mutating func add(_ text: String) { add(Array(text.utf8)) }

    package mutating func add<Element>(_ list: [Element], _ element: (inout PackedWriter, Element) -> Void) {
        add(list.count)
        for item in list { element(&self, item) }
    }
}

/// Reads what a `PackedWriter` wrote. Lengths that the bytes cannot hold are errors before anything is made of them.
package struct PackedReader {
    package struct Damaged: Error, CustomStringConvertible {
        package init() {}

        package var description: String { "a list arrived damaged" }
    }

    private let bytes: [UInt8]
    private var at = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package mutating func number() throws -> Int {
        guard at + 8 <= bytes.count else { throw Damaged() }
        defer { at += 8 }
        return bytes.withUnsafeBytes {
            Int(Int64(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: Int64.self)))
        }
    }

    package mutating func double() throws -> Double { Double(bitPattern: UInt64(bitPattern: Int64(try number()))) }

    package mutating func text() throws -> ArraySlice<UInt8> {
        let count = try number()
        guard (0...bytes.count - at).contains(count) else { throw Damaged() }
        defer { at += count }
        return bytes[at..<at + count]
    }

    package mutating func string() throws -> String { String(decoding: try text(), as: UTF8.self) }

    package mutating func list<Element>(_ element: (inout PackedReader) throws -> Element) throws -> [Element] {
        let count = try number()
        // Every element takes eight bytes at least.
        guard (0...(bytes.count - at) / 8).contains(count) else { throw Damaged() }
        var list: [Element] = []
        list.reserveCapacity(count)
        for _ in 0..<count { list.append(try element(&self)) }
        return list
    }
}
