import Files
import Glibc
package import SystemPackage

/// A list of pictures as a file keeps it, beside the times of all that was looked into: while none of it has changed, a run
/// that goes on need not list anew.
struct KeptIndex {
    /// A folder, archive or list that was looked into, as it was then.
    private struct Source: Equatable {
        let path: FilePath
        let size: Int
        /// Of its last change, in nanoseconds since 1970.
        let changed: Int

        /// nil where there is nothing at the path.
        init?(_ path: FilePath) {
            var status = stat()
            guard path.withPlatformString({ stat($0, &status) }) == 0 else { return nil }
            self.init(
                path: path, size: Int(status.st_size),
                changed: status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec)
        }

        init(path: FilePath, size: Int, changed: Int) {
            (self.path, self.size, self.changed) = (path, size, changed)
        }
    }

    let index: ImageIndex
    private let roots: [FilePath]
    private let sources: [Source]

    private static let mark = "pixpro pictures 1"
    /// What changed so shortly before it was looked at may have changed once more at the same time, in nanoseconds.
    private static let uncertainty = 2_000_000_000

    /// nil where the list may not be kept: something could not be read, or has changed at that moment.
    ///
    /// - Parameter began: when the listing did, in nanoseconds since 1970.
    init?(_ index: ImageIndex, of roots: [FilePath], lookedInto: Set<FilePath>, began: Int) {
        let sources = lookedInto.sorted(by: FilePath.areInOrder).map(Source.init)
        guard index.leftOut.skippedCount == 0,
            sources.allSatisfy({ $0.map { $0.changed < began - Self.uncertainty } ?? false })
        else { return nil }
        (self.index, self.roots, self.sources) = (index, roots, sources.compactMap { $0 })
    }

    /// Reads a file; nil where there is none, where it is damaged or of other roots, and where something has changed since.
    init?(_ file: FilePath, of roots: [FilePath]) {
        // Without it everything is listed anew.
        guard let bytes = try? WholeFile.bytes(of: file) else { return nil }
        var reader = PackedReader(bytes)
        do {
            guard try reader.string() == Self.mark else { return nil }
            self.roots = try reader.list { FilePath(bytes: try $0.text()) }
            sources = try reader.list { reader in
                Source(
                    path: FilePath(bytes: try reader.text()), size: try reader.number(), changed: try reader.number())
            }
            guard self.roots == roots, sources.allSatisfy({ Source($0.path) == $0 }) else { return nil }
            index = try ImageIndex(serialized: Array(try reader.text()))
        } catch {
            return nil
        }
    }

    func write(to file: FilePath) throws {
        var writer = PackedWriter()
        writer.add(Self.mark)
        writer.add(roots) { $0.add($1.bytes) }
        writer.add(sources) { writer, source in
            writer.add(source.path.bytes)
            writer.add(source.size)
            writer.add(source.changed)
        }
        writer.add(index.serialized)
        try WholeFile.write(writer.bytes, to: file, isDurable: false)
    }
}

extension ImageIndex {
    /// Lists as `init(roots:excluding:proceed:)` does, unless a file has the list of an earlier call, and nothing of what was
    /// looked into then has changed since. What was left out is told by a new listing alone.
    package init(
        roots: [FilePath], excluding excluded: [FilePath], keptIn file: FilePath, proceed: () throws -> Void
    ) throws {
        let began = Int(time(nil)) * 1_000_000_000
        if let kept = KeptIndex(file, of: roots + excluded) {
            self = kept.index
            return
        }
        let (index, lookedInto) = try Self.listed(roots: roots, excluding: excluded, proceed: proceed)
        self = index
        // A disk that takes no file costs the next start a listing.
        try? KeptIndex(index, of: roots + excluded, lookedInto: lookedInto, began: began)?.write(to: file)
    }
}
