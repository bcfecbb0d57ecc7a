import Files
import SystemPackage

extension ImageIndex {
    /// The index as bytes that `init(serialized:)` reads back; what was left out stays behind.
    package var serialized: [UInt8] {
        var writer = PackedWriter()
        writer.add(containers) { $0.add($1.bytes) }
        writer.add(classNames) { $0.add($1) }
        writer.add(entries) { writer, entry in
            for number in [Int(entry.container), Int(entry.label), Int(entry.offset), Int(entry.size)] {
                writer.add(number)
            }
            writer.add(entry.name.bytes)
        }
        return writer.bytes
    }

    package init(serialized bytes: [UInt8]) throws {
        var reader = PackedReader(bytes)
        let containers = try reader.list { FilePath(bytes: try $0.text()) }
        let classNames = try reader.list { try $0.string() }
        let entries = try reader.list { reader in
            let numbers = try (0..<4).map { _ in try reader.number() }
            guard containers.indices.contains(numbers[0]), classNames.indices.contains(numbers[1]) || numbers[1] == -1
            else { throw PackedReader.Damaged() }
            return Entry(
                container: Int32(numbers[0]), label: Int32(numbers[1]), offset: Int64(numbers[2]),
                size: Int64(numbers[3]),
                name: FilePath(bytes: try reader.text()))
        }
        self.init(containers: containers, entries: entries, classNames: classNames, leftOut: LeftOut())
    }
}
