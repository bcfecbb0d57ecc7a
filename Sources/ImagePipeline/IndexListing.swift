/// Collects the pictures below roots and puts them in order.
struct IndexListing {
    static let extensions = [".jpg", ".jpeg", ".png"]

    private var containers: [String] = []
    private var found: [(entry: ImageIndex.Entry, className: String?)] = []
    private var ignored = 0

    /// Entries by root, then by the bytes of their names; classes by name over all roots.
    var sorted: (containers: [String], entries: [ImageIndex.Entry], classNames: [String], ignored: Int) {
        let classNames = Set(found.compactMap(\.className)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let numbers = Dictionary(uniqueKeysWithValues: classNames.enumerated().map { ($1, Int32($0)) })
        let entries = found.map { entry, className in
            var entry = entry
            entry.label = className.map { numbers[$0]! } ?? -1
            return entry
        }.sorted {
            $0.container != $1.container
                ? $0.container < $1.container : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
        }
        return (containers, entries, classNames, ignored)
    }

    mutating func add(root: String) throws {
        let root = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
        if root.hasSuffix(".tar") { return try add(shard: root) }
        let names = try FileReading.names(in: root)
        if names.contains(TarIndex.fileName) { return try addPacked(root) }
        let shards = names.filter { $0.hasSuffix(".tar") }.sorted()
        if !shards.isEmpty {
            for shard in shards { try add(shard: root + "/" + shard) }
            return
        }
        let before = found.count
        let container = Int32(containers.count)
        containers.append(root)
        try addTree(root, below: "", container)
        guard found.count > before else {
            throw IndexError(
                "no images in \(root): looked for \(Self.extensions.joined(separator: ", ")) files in it and its "
                    + "sub-folders; name another folder in data.roots")
        }
    }

    private mutating func addTree(_ root: String, below path: String, _ container: Int32, depth: Int = 0) throws {
        guard depth < 64 else { throw IndexError("\(root)/\(path) lies 64 folders deep: do links run in a circle?") }
        for name in try FileReading.names(in: path.isEmpty ? root : root + "/" + path).sorted()
        where !name.hasPrefix(".") {
            let below = path.isEmpty ? name : path + "/" + name
            if try FileReading.isFolder(root + "/" + below) {
                try addTree(root, below: below, container, depth: depth + 1)
            } else if Self.isPicture(name) {
                let className = path.isEmpty ? nil : String(path.prefix { $0 != "/" })
                found.append((.init(container: container, label: -1, offset: -1, size: 0, name: below), className))
            } else {
                ignored += 1
            }
        }
    }

    static func isPicture(_ name: String) -> Bool {
        let lower = name.lowercased()
        return extensions.contains { lower.hasSuffix($0) }
    }

    /// A tar made by anyone: its headers are read once.
    private mutating func add(shard: String) throws {
        let container = Int32(containers.count)
        containers.append(shard)
        let members = try TarReader.members(of: shard)
        // WebDataset keeps a sample's parts under one key: 000001.jpg and its class, 000001.cls.
        var classes: [String: String] = [:]
        for member in members where member.name.hasSuffix(".cls") {
            let text = try FileReading.bytes(of: shard, offset: member.offset, count: min(member.size, 256))
            classes[String(member.name.dropLast(4))] =
                String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).first.map(String.init)
        }
        for member in members {
            guard Self.isPicture(member.name), member.name.split(separator: "/").last?.hasPrefix(".") == false else {
                ignored += member.name.hasSuffix(".cls") ? 0 : 1
                continue
            }
            let key = String(member.name[..<member.name.lastIndex(of: ".")!])
            found.append(
                (
                    .init(
                        container: container, label: -1, offset: Int64(member.offset), size: Int64(member.size),
                        name: member.name), classes[key]
                ))
        }
    }

    /// Shards with our index beside them: no tar needs to be read. Pictures keep the order they were packed in.
    private mutating func addPacked(_ root: String) throws {
        var numbers: [String: Int32] = [:]
        for (row, line) in try TarIndex.read(root).enumerated() {
            let container: Int32
            if let known = numbers[line.shard] {
                container = known
            } else {
                container = Int32(containers.count)
                numbers[line.shard] = container
                containers.append(root + "/" + line.shard)
            }
            guard line.offset >= 0, line.size >= 0 else {
                throw IndexError("\(root)/\(TarIndex.fileName), line \(row + 1): a negative offset or size; pack again")
            }
            found.append(
                (
                    .init(
                        container: container, label: -1, offset: Int64(line.offset), size: Int64(line.size),
                        name: line.name), line.className
                ))
        }
    }
}
