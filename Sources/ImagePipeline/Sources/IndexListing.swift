import Files
import SystemPackage

/// Collects the pictures below roots and puts them in order.
///
/// The walk through folders is in `IndexListing+Folders.swift`, tar shards are in `IndexListing+Archives.swift`.
struct IndexListing {
    static let extensions = [".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff"]
    private static let endings = Set(extensions.map { String($0.dropFirst()) })

    var leftOut = LeftOut()
    private(set) var containers: [FilePath] = []
    private var found: [(entry: ImageIndex.Entry, className: String?)] = []
    /// Whether pictures were named singly, so that a folder may hold them too.
    private var namesPictures = false
    /// Folders, archives and lists that were met, so that none counts twice whatever links and roots lead to it.
    private var claimed: [FileIdentity: FilePath] = [:]
    private let excluded: Set<FileIdentity>
    let proceed: () throws -> Void

    init(excluding excluded: [FilePath], proceed: @escaping () throws -> Void) {
        self.proceed = proceed
        self.excluded = Set(excluded.compactMap(FileIdentity.init(of:)))
    }

    /// Entries by root, then by the bytes of their names; classes by name over all roots.
    var sorted: (containers: [FilePath], entries: [ImageIndex.Entry], classNames: [String]) {
        let classNames = Set(found.compactMap(\.className)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let numbers = Dictionary(uniqueKeysWithValues: classNames.enumerated().map { ($1, Int32($0)) })
        let entries = found.map { entry, className in
            var entry = entry
            entry.label = className.map { numbers[$0]! } ?? -1
            return entry
        }.sorted {
            $0.container != $1.container ? $0.container < $1.container : FilePath.areInOrder($0.name, $1.name)
        }
        return (containers, entries, classNames)
    }

    /// All that the list depends on.
    var lookedInto: Set<FilePath> { Set(claimed.values).union(containers) }

    // MARK: Collecting

    static func isPicture(_ name: FilePath.Component) -> Bool {
        name.extension.map { endings.contains($0.lowercased()) } ?? false
    }

    mutating func newContainer(_ path: FilePath) -> Int32 {
        containers.append(path)
        return Int32(containers.count - 1)
    }

    /// A file of its own below a container.
    mutating func addPicture(_ name: FilePath, in container: Int32, className: String?) {
        found.append((.init(container: container, label: -1, offset: -1, size: 0, name: name), className))
    }

    /// A member of an archive.
    mutating func addMember(_ name: FilePath, at range: Range<Int>, in container: Int32, className: String?) {
        found.append(
            (
                .init(
                    container: container, label: -1, offset: Int64(range.lowerBound), size: Int64(range.count),
                    name: name),
                className
            ))
    }

    /// Leaves out what a list or a root of its own names and a folder holds as well; the first stays.
    mutating func dropDuplicates() {
        guard namesPictures else { return }
        let places = containers.map(FileSystem.canonical)
        var seen: Set<FilePath> = []
        found = found.filter { entry, _ in
            guard entry.offset < 0 else { return true }
            let path = places[Int(entry.container)].pushing(entry.name).lexicallyNormalized()
            guard !seen.insert(path).inserted else { return true }
            leftOut.skip(path, "is given twice")
            return false
        }
    }

    /// Whether this is the first time that the folder or file is met; says so where it is not.
    mutating func claim(_ path: FilePath) -> Bool {
        guard let identity = FileIdentity(of: path) else { return true }
        guard !excluded.contains(identity) else {
            leftOut.skip(path, "belongs to this run, which writes there")
            return false
        }
        if let first = claimed[identity] {
            leftOut.skip(path, first == path ? "is given twice" : "is the same as \(first.shown), which is taken once")
            return false
        }
        claimed[identity] = path
        return true
    }

    // MARK: Roots

    /// A folder, a tar, a picture, or a text file that names such things. One without a picture is an error.
    mutating func add(root: FilePath) throws {
        let kind = try FileKind(of: root), before = (pictures: found.count, leftOut: leftOut)
        guard kind == .directory || kind == .regular else {
            throw kind == .nothing
                ? FileError(path: root, doing: "open it", code: Errno.noSuchFileOrDirectory.rawValue)
                : FileError(path: root, reason: "is \(kind.words), not a folder of images")
        }
        guard claim(root) else { return }
        if kind == .directory {
            try addFolder(root, below: FilePath(), container: newContainer(root), className: nil)
        } else {
            try addFile(root, isListed: false)
        }
        guard found.count == before.pictures else { return }
        throw IndexError(
            "no images in \(root.shown): looked for \(Self.extensions.joined(separator: ", ")) files and .tar shards, "
                + "found \(leftOut.since(before.leftOut).summary); name another folder in data.roots")
    }

    private mutating func addFile(_ path: FilePath, isListed: Bool) throws {
        guard let name = path.lastComponent else { return }
        if name.hasSuffix(".tar", ignoringCase: true) {
            try addArchive(path, className: nil)
        } else if Self.isPicture(name) {
            namesPictures = true
            addPicture(
                FilePath(root: nil, components: name), in: newContainer(FileSystem.parent(of: path)), className: nil)
        } else if let reason = Self.compression(of: name) {
            throw IndexError("\(path.shown) \(reason)")
        } else if isListed {
            throw IndexError("\(path.shown) is neither a picture, a folder nor a .tar")
        } else {
            try addList(path)
        }
    }

    /// A text file with a path a line, relative to its own folder, and after a tab the class if there is one. Blank
    /// lines and those that begin with `#` say nothing.
    private mutating func addList(_ list: FilePath) throws {
        let bytes = try WholeFile.bytes(of: list)
        guard !bytes.contains(0) else {
            throw IndexError(
                "\(list.shown) is neither a folder, a .tar, a picture, nor a text file that names pictures, one a line")
        }
        namesPictures = true
        let folder = FileSystem.parent(of: list), container = newContainer(folder)
        for (number, line) in bytes.withoutByteOrderMark.split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
        ).enumerated() {
            try proceed()
            let columns = line.split(separator: UInt8(ascii: "\t"), maxSplits: 1).map(Self.trimmed)
            guard let first = columns.first, !first.isEmpty, first.first != UInt8(ascii: "#") else { continue }
            let path = FilePath(bytes: first), whole = folder.pushing(path)
            if let name = path.lastComponent, Self.isPicture(name) {
                let className = columns.dropFirst().first.flatMap { $0.isEmpty ? nil : FilePath.text(of: $0) }
                addPicture(path, in: container, className: className)
            } else {
                do { try addListed(whole) } catch { throw IndexError("\(list.shown), line \(number + 1): \(error)") }
            }
        }
    }

    /// Without blanks at its ends.
    static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let blanks = [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r")]
        var rest = bytes
        while let first = rest.first, blanks.contains(first) { rest.removeFirst() }
        while let last = rest.last, blanks.contains(last) { rest.removeLast() }
        return rest
    }

    private mutating func addListed(_ path: FilePath) throws {
        switch try FileKind(of: path) {
        case .directory: try add(root: path)
        case .regular: if claim(path) { try addFile(path, isListed: true) }
        case .nothing: throw FileError(path: path, reason: "is not there")
        case let kind: throw FileError(path: path, reason: "is \(kind.words), not a picture")
        }
    }
}
