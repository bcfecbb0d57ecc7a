#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Packs pictures into tar shards in WebDataset's layout, with an index for random access; returns their number.
///
/// `shard-000000.tar` holds `000000000.jpg` and, where there is a class, `000000000.cls` with its name. Files are
/// complete or absent: each is written under another name and renamed, the index last.
public func packShards(
    index: ImageIndex, into folder: String, maximumBytes: Int,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
) throws -> Int {
    if mkdir(folder, 0o777) != 0, errno != EEXIST {
        throw IndexError("cannot make \(folder): \(String(cString: strerror(errno)))")
    }
    guard try FileReading.names(in: folder).isEmpty else {
        throw IndexError("\(folder) is not empty; pack into a new folder")
    }
    var lines: [TarIndex.Line] = [], shards = 0
    var writer: TarWriter?
    for picture in 0..<index.count {
        let bytes = try index.bytes(of: picture)
        if writer == nil || writer!.size + bytes.count > maximumBytes {
            try writer?.finish()
            writer = try TarWriter(folder: folder, name: "shard-\(padded(shards, 6)).tar")
            shards += 1
        }
        let isPNG = bytes.starts(with: [0x89, 0x50])
        let key = padded(picture, 9)
        let className = index.label(of: picture).map { index.classNames[$0] }
        let name = key + (isPNG ? ".png" : ".jpg")
        let offset = try writer!.add(name, bytes)
        if let className { _ = try writer!.add(key + ".cls", Array(className.utf8)) }
        lines.append(
            .init(shard: writer!.name, offset: offset, size: bytes.count, className: className, name: name))
        progress(picture + 1, index.count)
    }
    try writer?.finish()
    let file = try OutputFile(folder: folder, name: TarIndex.fileName)
    try file.write(Array(lines.map(\.text).joined().utf8))
    try file.finish()
    return shards
}

private func padded(_ number: Int, _ digits: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(digits - text.count, 0)) + text
}

/// A tar archive being written.
private final class TarWriter {
    let name: String
    private(set) var size = 0
    private let file: OutputFile

    init(folder: String, name: String) throws {
        self.name = name
        file = try OutputFile(folder: folder, name: name)
    }

    /// Appends a member; returns where its bytes begin.
    func add(_ name: String, _ bytes: [UInt8]) throws -> Int {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, _ at: Int) { header.replaceSubrange(at..<at + text.utf8.count, with: text.utf8) }
        func octal(_ value: Int, _ digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: max(digits - text.count, 0)) + text
        }
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
        try file.write(header)
        try file.write(bytes)
        try file.write([UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512))
        defer { size += 512 + (bytes.count + 511) / 512 * 512 }
        return size + 512
    }

    func finish() throws {
        try file.write([UInt8](repeating: 0, count: 1024))
        try file.finish()
    }
}
