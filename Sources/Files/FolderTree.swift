package import SystemPackage

/// Folders to their depths.
package enum FolderTree {
    /// The files below a folder, by their paths below it, ordered by the bytes of these. Hidden ones are left out, and
    /// folders that a link leads to once more.
    package static func files(below root: FilePath) throws -> [FilePath] {
        var found: [FilePath] = [], folders = [FilePath()], seen: Set<FileIdentity> = []
        while let folder = folders.popLast() {
            let whole = root.pushing(folder)
            guard FileIdentity(of: whole).map({ seen.insert($0).inserted }) ?? true else { continue }
            for entry in try FileSystem.entries(in: whole) where !entry.name.isHidden {
                let path = folder.appending(entry.name)
                if try (entry.kind ?? FileKind(of: root.pushing(path))) == .directory {
                    folders.append(path)
                } else {
                    found.append(path)
                }
            }
        }
        return found.sorted(by: FilePath.areInOrder)
    }
}

extension FilePath {
    /// Without what follows the last dot of its last name.
    package var withoutEnding: FilePath {
        var path = self
        path.extension = nil
        return path
    }
}
