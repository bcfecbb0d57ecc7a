import Files
package import SystemPackage

/// Pictures packed into tar shards in WebDataset's layout, with an index for random access.
///
/// `shard-000000.tar` holds `000000000.jpg` and, where there is a class, `000000000.cls` with its name. The folder is
/// filled or empty: shards carry the ending `.partial` until all are written, then they get their names, the index last.
package struct DataPack {
    package private(set) var shards = 0
    package private(set) var pictures = 0
    /// Pictures that could not be read.
    package private(set) var leftOut: LeftOut

    private let folder: FilePath
    private let maximumBytes: Int
    private var lines: [PackedIndex.Line] = []
    private var writer: TarWriter?

    private static let partial = ".partial"

    /// Packs all readable pictures of `index` into a folder that is new, empty, or holds what an earlier attempt left.
    ///
    /// - Parameter maximumBytes: a shard ends before it would grow larger; a single picture may be.
    package init(
        _ index: ImageIndex, into folder: FilePath, maximumBytes: Int,
        progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws {
        (self.folder, self.maximumBytes, leftOut) = (folder, maximumBytes, index.leftOut)
        try FileSystem.makeDirectories(folder)
        let names = try FileSystem.names(in: folder)
        guard names.allSatisfy(Self.isLeftover) else {
            throw IndexError("\(folder.shown) is not empty; pack into a new folder")
        }
        for name in names { try FileSystem.remove(folder.appending(name)) }
        do {
            for picture in 0..<index.count {
                do { try add(picture, of: index) } catch let error as ImageError {
                    leftOut.skip(index.description(of: picture), error.reason)
                }
                progress(picture + 1, index.count)
            }
            try finish()
        } catch {
            for shard in 0..<shards {
                // The failure is what is told, not that its remains cannot be removed either.
                try? FileSystem.remove(path(of: shard).appending(suffix: Self.partial))
                try? FileSystem.remove(path(of: shard))
            }
            throw error
        }
    }

    /// What an attempt leaves that was killed.
    private static func isLeftover(_ name: FilePath.Component) -> Bool {
        name.string.hasPrefix("shard-") && name.hasSuffix(".tar" + partial)
    }

    private func path(of shard: Int) -> FilePath { folder.appending("shard-\(String(shard).zeroPadded(to: 6)).tar") }

    private mutating func add(_ picture: Int, of index: ImageIndex) throws {
        let bytes = try index.bytes(of: picture)
        if writer == nil || writer!.size + bytes.count > maximumBytes {
            try writer?.finish()
            writer = try TarWriter(path: path(of: shards).appending(suffix: Self.partial))
            shards += 1
        }
        let format = try bytes.withUnsafeBufferPointer { try ImageDecoder.format(of: $0) }
        let key = String(pictures).zeroPadded(to: 9), name = key + format.ending
        let className = index.label(of: picture).map { index.classNames[$0] }
        let range = try writer!.add(name, bytes)
        if let className { _ = try writer!.add(key + ".cls", FilePath.bytes(ofText: className)) }
        lines.append(
            .init(shard: path(of: shards - 1).lastComponent!, range: range, className: className, name: FilePath(name)))
        pictures += 1
    }

    private mutating func finish() throws {
        guard pictures > 0 else { throw IndexError("no picture can be read: \(leftOut.summary)") }
        try writer?.finish()
        writer = nil
        for shard in 0..<shards {
            try FileSystem.move(path(of: shard).appending(suffix: Self.partial), to: path(of: shard))
        }
        try FileSystem.synchronize(directory: folder)
        try WholeFile.write(PackedIndex.text(of: lines), to: folder.appending(PackedIndex.fileName))
    }
}

/// A tar archive being written.
private final class TarWriter {
    private let file: OutputFile

    init(path: FilePath) throws { file = try OutputFile(path: path) }

    var size: Int { file.size }

    /// Appends a member; returns where its bytes are.
    func add(_ name: String, _ bytes: [UInt8]) throws -> Range<Int> {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, _ at: Int) { header.replaceSubrange(at..<at + text.utf8.count, with: text.utf8) }
        func octal(_ value: Int, _ digits: Int) -> String { String(value, radix: 8).zeroPadded(to: digits) }
        precondition(name.utf8.count <= 100 && bytes.count < 1 << 33, "a member that a plain header cannot describe")
        put(name, 0)
        put("0000644", 100)
        put("0000000", 108)
        put("0000000", 116)
        put(octal(bytes.count, 11), 124)
        put(octal(0, 11), 136)
        put("        ", 148)
        put("0", 156)
        put("ustar\u{0}00", 257)
        put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\u{0} ", 148)
        try file.append(header)
        let start = file.size
        try file.append(bytes)
        try file.append([UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512))
        return start..<start + bytes.count
    }

    func finish() throws {
        try file.append([UInt8](repeating: 0, count: 1024))
        try file.synchronize()
        try file.finish()
    }
}
