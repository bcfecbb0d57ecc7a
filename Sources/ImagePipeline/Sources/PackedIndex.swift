import Files
import SystemPackage

/// `index.tsv` beside packed shards: shard, offset, size, class and name of every picture, after a line that tells it
/// from tables of others.
enum PackedIndex {
    static let fileName = FilePath.Component("index.tsv")
    private static let signature = "# pixpro: shard, offset, bytes, class, name"

    /// About 50 bytes a picture: enough for 80 million.
    private static let limit = 4 << 30

    struct Line {
        let shard: FilePath.Component
        let range: Range<Int>
        let className: String?
        let name: FilePath
    }

    static func text(of lines: [Line]) -> String {
        ([signature]
            + lines.map { line in
                [
                    line.shard.string, "\(line.range.lowerBound)", "\(line.range.count)", escaped(line.className ?? ""),
                    line.name.string,
                ].joined(separator: "\t")
            }).joined(separator: "\n") + "\n"
    }

    /// The lines of a folder's index; nil where the file is not ours: without the signature (which files of early
    /// versions lack), its first line must name one of `shards`.
    static func read(_ folder: FilePath, shards: Set<FilePath.Component>) throws -> [Line]? {
        let path = folder.appending(fileName), file = try InputFile(path: path)
        guard file.size <= limit else {
            throw FileError(path: path, reason: "has \(file.size) bytes, too many to be read")
        }
        let text = String(decoding: try file.bytes(0..<file.size), as: UTF8.self)
        let rows = text.split(separator: "\n", omittingEmptySubsequences: false)
        let isSigned = rows.first.map { $0 == signature } ?? false
        guard isSigned || rows.first.flatMap({ line($0, isEscaped: false) }).map({ shards.contains($0.shard) }) ?? false
        else { return nil }
        return try rows.enumerated().compactMap { number, row in
            if row.isEmpty || isSigned && number == 0 { return nil }
            guard let line = line(row, isEscaped: isSigned) else {
                throw IndexError(
                    "\(path.shown), line \(number + 1) is damaged; delete it (the shards are then read) or pack again")
            }
            return line
        }
    }

    private static func line(_ row: Substring, isEscaped: Bool) -> Line? {
        let parts = row.split(separator: "\t", maxSplits: 4, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 5, let shard = FilePath.Component(parts[0]), shard.string == parts[0],
            let offset = Int(parts[1]), let size = Int(parts[2]), offset >= 0, size >= 0,
            !offset.addingReportingOverflow(size).overflow
        else { return nil }
        let className = isEscaped ? unescaped(parts[3]) : parts[3]
        return Line(
            shard: shard, range: offset..<offset + size, className: className.isEmpty ? nil : className,
            name: FilePath(parts[4]))
    }

    private static let escapes: [(plain: String, escape: String)] = [("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n")]

    private static func escaped(_ text: String) -> String {
        escapes.reduce(text) { $0.replacing($1.plain, with: $1.escape) }
    }

    private static func unescaped(_ text: String) -> String {
        var plain = "", rest = Substring(text)
        while let first = rest.first {
            let escape = first == "\\" ? escapes.first { rest.hasPrefix($0.escape) } : nil
            plain += escape?.plain ?? String(first)
            rest = rest.dropFirst(escape?.escape.count ?? 1)
        }
        return plain
    }
}
