import Files
import SystemPackage

extension IndexListing {
    /// A folder with this file is the directory of a run: its pictures are none to learn from.
    private static let runMark = FilePath.Component("config.resolved.yaml")
    private static let compressed = [
        ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz4", ".zip", ".rar", ".7z",
    ]

    /// What to do about a compressed archive; nil where the name is of none.
    static func compression(of name: FilePath.Component) -> String? {
        guard compressed.contains(where: { name.hasSuffix($0, ignoringCase: true) }) else { return nil }
        return "is a compressed archive, of which single pictures cannot be read: unpack it, or into a plain .tar"
    }

    /// All pictures of a folder and those below it; what cannot be used is noted. The first folder below the root names
    /// the class.
    mutating func addFolder(_ folder: FilePath, below path: FilePath, container: Int32, className: String?) throws {
        try proceed()
        let entries: [FileSystem.Entry]
        do { entries = try FileSystem.entries(in: folder) } catch let error as FileError where !path.isEmpty {
            return leftOut.skip(folder, error.cause)
        }
        guard !entries.contains(where: { $0.name == Self.runMark }) else {
            return leftOut.skip(folder, "is the directory of a run, whose pictures are none to learn from")
        }
        let packed = try addPackedShards(of: folder, entries: entries, className: className)
        for entry in entries where !entry.name.isHidden && !packed.contains(entry.name) {
            try proceed()
            let whole = folder.appending(entry.name), name = path.appending(entry.name)
            let kind: FileKind
            do { kind = try entry.kind ?? FileKind(of: whole) } catch let error as FileError {
                leftOut.skip(whole, error.cause)
                continue
            }
            if kind == .directory {
                guard claim(whole) else { continue }
                try addFolder(
                    whole, below: name, container: container,
                    className: path.isEmpty ? entry.name.text : className)
            } else {
                addFile(whole, name: name, kind: kind, container: container, className: className)
            }
        }
    }

    private mutating func addFile(
        _ path: FilePath, name: FilePath, kind: FileKind, container: Int32, className: String?
    ) {
        guard let last = name.lastComponent else { return }
        let isPicture = Self.isPicture(last), isArchive = last.hasSuffix(".tar", ignoringCase: true)
        if isPicture || isArchive, kind != .regular {
            leftOut.skip(path, "is \(kind.words), not a file")
        } else if isPicture {
            addPicture(name, in: container, className: className)
        } else if isArchive {
            guard claim(path) else { return }
            do { try addArchive(path, className: className) } catch let error as FileError {
                leftOut.skip(path, error.cause)
            } catch {
                leftOut.skip(path, "\(error)")
            }
        } else if let reason = Self.compression(of: last) {
            leftOut.skip(path, reason)
        } else {
            leftOut.ignore(last)
        }
    }
}
