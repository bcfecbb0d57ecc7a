import Files
package import SystemPackage

/// The pictures of a run: where each lies, in an order that is the same on every host.
///
/// Built once (by rank zero) and sent to all others as bytes. A million entries take about 100 MB.
package struct ImageIndex: Sendable {
    /// One picture: a file below a root, or a member of a tar shard.
    struct Entry: Sendable {
        /// Index into `containers`: a root folder or a tar file.
        var container: Int32
        var label: Int32
        /// Where the member's bytes lie in its tar; -1 for a file of its own.
        var offset: Int64
        var size: Int64
        /// Path below the root, or the member's name.
        var name: FilePath
    }

    let containers: [FilePath]
    let entries: [Entry]
    package let classNames: [String]
    /// What lay below the roots and was not taken.
    package let leftOut: LeftOut

    package var count: Int { entries.count }

    /// Lists folder trees of JPEGs, PNGs, TIFFs and tar shards, single files, and text files with a path a line.
    ///
    /// The first folder below a root, or in a tar, is the class of what it holds. Throws `IndexError` or `FileError`
    /// where a root cannot be read or there is no picture in any.
    ///
    /// - Parameters:
    ///   - excluded: folders that are not looked into, such as the run's own.
    ///   - proceed: called again and again while listing; what it throws ends it.
    package init(roots: [FilePath], excluding excluded: [FilePath] = [], proceed: () throws -> Void = {}) throws {
        self = try Self.listed(roots: roots, excluding: excluded, proceed: proceed).index
    }

    /// The same, with all folders, archives and lists that were looked into.
    static func listed(
        roots: [FilePath], excluding excluded: [FilePath], proceed: () throws -> Void
    ) throws -> (index: ImageIndex, lookedInto: Set<FilePath>) {
        let listing = try withoutActuallyEscaping(proceed) { proceed in
            var listing = IndexListing(excluding: excluded, proceed: proceed)
            for root in roots { try listing.add(root: root) }
            listing.dropDuplicates()
            return (sorted: listing.sorted, leftOut: listing.leftOut, lookedInto: listing.lookedInto)
        }
        let (containers, entries, classNames) = listing.sorted
        guard !entries.isEmpty else {
            throw IndexError(
                "no images in \(roots.map(\.shown).joined(separator: ", ")): looked for "
                    + "\(IndexListing.extensions.joined(separator: ", ")) files and .tar shards, found "
                    + listing.leftOut.summary + "; name another folder in data.roots")
        }
        let index = ImageIndex(
            containers: containers, entries: entries, classNames: classNames, leftOut: listing.leftOut)
        return (index, listing.lookedInto)
    }

    init(containers: [FilePath], entries: [Entry], classNames: [String], leftOut: LeftOut) {
        (self.containers, self.entries) = (containers, entries)
        (self.classNames, self.leftOut) = (classNames, leftOut)
    }

    /// Pictures of one folder, by their names below it, in this order.
    package init(folder: FilePath, names: [FilePath]) {
        self.init(
            containers: [folder],
            entries: names.map { Entry(container: 0, label: -1, offset: -1, size: 0, name: $0) }, classNames: [],
            leftOut: LeftOut())
    }

    /// The pictures at some places, in this order.
    func picking(_ places: [Int]) -> ImageIndex {
        ImageIndex(
            containers: containers, entries: places.map { entries[$0] }, classNames: classNames, leftOut: leftOut)
    }

    /// Whether a file is a picture by its name.
    package static func isPicture(_ name: FilePath.Component) -> Bool { IndexListing.isPicture(name) }

    /// Whether there is a file, or something in its place, where a picture should be.
    package func exists(_ index: Int) -> Bool { FileSystem.exists(file(of: index)) }

    /// The file that holds a picture: its own, or its tar shard.
    private func file(of index: Int) -> FilePath {
        let entry = entries[index], container = containers[Int(entry.container)]
        return entry.offset < 0 ? container.pushing(entry.name) : container
    }

    /// More bytes than any picture has whose pixels are allowed: what is larger is none.
    static let largestFile = 1 << 30

    /// What people call a picture: its path, on one line.
    package func description(of index: Int) -> String {
        let entry = entries[index]
        return containers[Int(entry.container)].pushing(entry.name).shown
    }

    /// Where each picture lies, the same however its root is written.
    package var places: [FilePath] {
        let roots = containers.map(FileSystem.canonical)
        return entries.map { roots[Int($0.container)].pushing($0.name).lexicallyNormalized() }
    }

    /// The path of a picture below its root, or its name in its tar.
    package func name(of index: Int) -> FilePath { entries[index].name }

    /// The picture's class; nil where it lies in no class folder.
    package func label(of index: Int) -> Int? { entries[index].label < 0 ? nil : Int(entries[index].label) }

    /// The picture's file or tar member; an `ImageError` where it cannot be read. Safe to call from several threads.
    package func bytes(of index: Int) throws -> [UInt8] {
        let entry = entries[index]
        do {
            let input = try InputFile(path: file(of: index))
            let size = entry.offset < 0 ? input.size : Int(entry.size), start = max(Int(entry.offset), 0)
            guard size <= Self.largestFile else {
                throw ImageError("has \(size) bytes, more than the \(Self.largestFile) of any picture")
            }
            return try input.bytes(start..<start + size)
        } catch let error as FileError {
            throw ImageError(error.cause)
        }
    }

    /// Bytes of the file that holds a picture: its own, or its tar shard.
    package func fileSize(of index: Int) throws -> Int { try FileSystem.size(file(of: index)) }

    /// At most `limit` pictures, evenly spread, ascending.
    package func spread(limit: Int) -> [Int] {
        guard count > limit else { return Array(0..<count) }
        return (0..<limit).map { $0 * count / limit }
    }
}

/// The images cannot be listed as asked.
package struct IndexError: Error, Sendable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

extension ImageIndex {
    /// So many pictures of a root are tried before it counts as unreadable.
    private static let attempts = 100

    /// Checks that this host can open a picture of every root; throws what it cannot. One bad picture is none of its
    /// business: those are skipped when they are loaded.
    ///
    /// - Parameter isElsewhere: whether another host made the list, so that a difference between hosts is the likely cause.
    package func verifyReadable(isElsewhere: Bool) throws {
        var byContainer: [Int32: [Int]] = [:]
        for index in entries.indices { byContainer[entries[index].container, default: []].append(index) }
        for (container, pictures) in byContainer.sorted(by: { $0.key < $1.key }) {
            let tried = Swift.stride(from: 0, to: pictures.count, by: max(pictures.count / Self.attempts, 1))
            var failure: FileError?
            let opens = tried.lazy.contains { place in
                do {
                    _ = try InputFile(path: file(of: pictures[place]))
                    return true
                } catch {
                    failure = failure ?? error as? FileError
                    return false
                }
            }
            guard !opens, let failure else { continue }
            let root = containers[Int(container)].shown, reason = "\(failure.path.shown): \(failure.cause)"
            throw IndexError(
                isElsewhere
                    ? "no picture of \(root) can be read here, though rank zero listed them (\(reason)): is the folder "
                        + "mounted on every host under the same path, and readable?"
                    : "none of the pictures of \(root) can be read (\(reason))")
        }
    }
}
