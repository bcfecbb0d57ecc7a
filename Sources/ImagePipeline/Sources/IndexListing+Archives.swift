import Files
import SystemPackage

extension IndexListing {
    /// The pictures of a tar made by anyone, whose headers are read once; what it holds besides is noted.
    ///
    /// The class is what a sample's `.cls` says (WebDataset keeps `000001.jpg` and `000001.cls` under one key), else the
    /// first folder in the archive, else `className`, the folder that the archive lies in.
    mutating func addArchive(_ path: FilePath, className: String?) throws {
        let input = try InputFile(path: path)
        let archive = try TarReader.read(input, proceed: proceed)
        for problem in archive.problems {
            leftOut.skip(problem.member.map { path.pushing($0).shown } ?? path.shown, problem.reason)
        }
        let container = newContainer(path)
        let pictures = archive.members.filter { member in member.name.lastComponent.map(Self.isPicture) ?? false }
        let plainKeys = Set(pictures.filter { $0.sampleKey.middle.isEmpty }.map(\.sampleKey.key))
        let classes = try classes(of: archive.members, in: input)
        let common = Self.commonFolders(pictures.map(\.name))
        for member in archive.members {
            guard let name = member.name.lastComponent, !member.name.components.contains(where: \.isHidden) else {
                continue
            }
            let (key, middle) = member.sampleKey
            // 000001.seg.png beside 000001.jpg is another field of that sample, not a picture to learn from.
            let isField = !middle.isEmpty && middle.allSatisfy(\.isLetter) && plainKeys.contains(key)
            guard Self.isPicture(name), !isField else {
                if name.extension != "cls" { leftOut.ignore(name) }
                continue
            }
            let folders = member.name.removingLastComponent().components.dropFirst(common)
            addMember(
                member.name, at: member.range, in: container,
                className: classes[key] ?? folders.first?.text ?? className)
        }
    }

    private func classes(of members: [TarReader.Member], in input: InputFile) throws -> [FilePath: String] {
        var classes: [FilePath: String] = [:]
        for member in members where member.name.extension == "cls" {
            let text = try input.bytes(
                member.range.lowerBound..<member.range.lowerBound + min(member.range.count, 1024))
            let line = Self.trimmed(text.prefix { $0 != UInt8(ascii: "\n") })
            classes[member.sampleKey.key] = line.isEmpty ? nil : FilePath.text(of: line)
        }
        return classes
    }

    /// How many folders all pictures have in common at the front, as far as each still lies in a folder below them.
    private static func commonFolders(_ names: [FilePath]) -> Int {
        guard let first = names.first else { return 0 }
        var common = Array(first.removingLastComponent().components).dropLast()
        for name in names {
            let folders = Array(name.removingLastComponent().components).dropLast()
            while !folders.starts(with: common) { common = common.dropLast() }
            if common.isEmpty { return 0 }
        }
        return common.count
    }

    /// Shards with our index beside them, in which no header needs to be read. Returns the names that it took care of.
    mutating func addPackedShards(
        of folder: FilePath, entries: [FileSystem.Entry], className: String?
    ) throws -> Set<FilePath.Component> {
        let path = folder.appending(PackedIndex.fileName)
        guard entries.contains(where: { $0.name == PackedIndex.fileName }), try FileKind(of: path) == .regular else {
            return []
        }
        let shards = Set(entries.map(\.name)).filter { $0.hasSuffix(".tar") }
        let lines: [PackedIndex.Line]
        do {
            guard let read = try PackedIndex.read(folder, shards: shards) else { return [] }
            lines = read
        } catch let error as FileError {
            // The shards themselves say what they hold.
            leftOut.skip(path, error.cause)
            return []
        }
        var numbers: [FilePath.Component: Int32] = [:], lost: [FilePath.Component: Int] = [:]
        for line in lines {
            guard shards.contains(line.shard) else {
                lost[line.shard, default: 0] += 1
                continue
            }
            let container = numbers[line.shard] ?? newContainer(folder.appending(line.shard))
            numbers[line.shard] = container
            addMember(line.name, at: line.range, in: container, className: line.className ?? className)
        }
        for (shard, count) in lost.sorted(by: { FilePath.Component.areInOrder($0.key, $1.key) }) {
            leftOut.skip(
                folder.appending(shard), "is not there, with \(count) pictures of \(PackedIndex.fileName.string)")
        }
        return Set(numbers.keys).union([PackedIndex.fileName])
    }
}

extension TarReader.Member {
    /// WebDataset's key of a sample, the path up to the first dot of its last name, and what lies between that and the
    /// ending: `a/000001.seg.png` is ("a/000001", "seg").
    var sampleKey: (key: FilePath, middle: String) {
        guard let last = name.lastComponent else { return (name, "") }
        let parts = last.bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let key = name.removingLastComponent().pushing(FilePath(bytes: parts[0]))
        return (key, parts.dropFirst().dropLast().map { String(decoding: $0, as: UTF8.self) }.joined(separator: "."))
    }
}
