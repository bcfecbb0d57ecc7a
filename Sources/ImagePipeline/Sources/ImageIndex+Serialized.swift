import Files
import SystemPackage

extension ImageIndex {
    /// The index as bytes that `init(serialized:)` reads back; what was left out stays behind.
    package var serialized: [UInt8] {
        var bytes: [UInt8] = []
        func add(_ number: Int) { withUnsafeBytes(of: Int64(number).littleEndian) { bytes += $0 } }
        func add(_ text: [UInt8]) {
            add(text.count)
            bytes += text
        }
        add(containers.count)
        for container in containers { add(container.bytes) }
        add(classNames.count)
        for name in classNames { add(Array(name.utf8)) }
        add(entries.count)
        for entry in entries {
            for number in [Int(entry.container), Int(entry.label), Int(entry.offset), Int(entry.size)] { add(number) }
            add(entry.name.bytes)
        }
        return bytes
    }

    package init(serialized bytes: [UInt8]) throws {
        var reader = Reader(bytes: bytes)
        let containers = try reader.list { FilePath(bytes: try $0.text()) }
        let classNames = try reader.list { String(decoding: try $0.text(), as: UTF8.self) }
        let entries = try reader.list { reader in
            let numbers = try (0..<4).map { _ in try reader.number() }
            guard containers.indices.contains(numbers[0]), classNames.indices.contains(numbers[1]) || numbers[1] == -1
            else { throw Reader.damaged }
            return Entry(
                container: Int32(numbers[0]), label: Int32(numbers[1]), offset: Int64(numbers[2]),
                size: Int64(numbers[3]),
                name: FilePath(bytes: try reader.text()))
        }
        self.init(containers: containers, entries: entries, classNames: classNames, leftOut: LeftOut())
    }

    private struct Reader {
        let bytes: [UInt8]
        var at = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        static let damaged = IndexError("the list of images arrived damaged")

        mutating func number() throws -> Int {
            guard at + 8 <= bytes.count else { throw Self.damaged }
            defer { at += 8 }
            return bytes.withUnsafeBytes {
                Int(Int64(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: Int64.self)))
            }
        }

        mutating func text() throws -> ArraySlice<UInt8> {
            let count = try number()
            guard (0...bytes.count - at).contains(count) else { throw Self.damaged }
            defer { at += count }
            return bytes[at..<at + count]
        }

        mutating func list<Element>(_ element: (inout Reader) throws -> Element) throws -> [Element] {
            let count = try number()
            // Every element takes eight bytes at least.
            guard (0...(bytes.count - at) / 8).contains(count) else { throw Self.damaged }
            var list: [Element] = []
            list.reserveCapacity(count)
            for _ in 0..<count { list.append(try element(&self)) }
            return list
        }
    }
}
