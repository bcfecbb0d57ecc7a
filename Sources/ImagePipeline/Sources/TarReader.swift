import Files
import SystemPackage

/// Reads the headers of tar archives (ustar, with GNU's and POSIX's long names and sizes, links, and archives that were
/// joined end to end).
enum TarReader {
    struct Member: Equatable {
        let name: FilePath
        /// The member's bytes in the archive.
        let range: Range<Int>
    }

    /// A member that cannot be used, or the archive itself where `member` is nil.
    struct Problem {
        let member: FilePath?
        let reason: String
    }

    /// Longest extended header and longest run of zeros between joined archives that is read.
    private static let limit = 1 << 20

    /// The files of an archive, in order, with its hard and symbolic links to them. One that holds nothing that is a
    /// tar is an `IndexError`; damage later on is a problem, and what comes before it stands.
    static func read(_ file: InputFile, proceed: () throws -> Void) throws -> (members: [Member], problems: [Problem]) {
        var walk = Walk(file: file)
        do {
            while let header = try walk.nextHeader() {
                try proceed()
                try walk.take(header)
            }
        } catch let damage as Damage {
            guard walk.hasHeader else { throw IndexError(damage.reason) }
            walk.problems.append(Problem(member: nil, reason: damage.reason + "; what comes before is used"))
        }
        walk.resolveLinks()
        return (walk.members, walk.problems)
    }

    private struct Damage: Error { let reason: String }

    private struct Walk {
        let file: InputFile
        var members: [Member] = []
        var problems: [Problem] = []
        var hasHeader = false
        private var at = 0
        private var links: [(name: FilePath, target: FilePath, isSymbolic: Bool)] = []
        /// What extended headers say of the member that follows.
        private var long = Extended()

        init(file: InputFile) { self.file = file }

        /// The next header that is none of zeros; nil at the end of the archive.
        mutating func nextHeader() throws -> TarHeader? {
            let start = at
            while at + 512 <= file.size, at - start <= TarReader.limit {
                let bytes = try file.bytes(at..<at + 512)
                if bytes.allSatisfy({ $0 == 0 }) {
                    at += 512
                    continue
                }
                guard let header = TarHeader(bytes) else {
                    // Whatever follows an archive's end, two blocks of zeros, is not its own, unless another one was joined to it.
                    if at >= start + 1024, hasHeader {
                        let reason = "behind its end, at byte \(at), is what is no tar; what comes before is used"
                        problems.append(Problem(member: nil, reason: reason))
                        return nil
                    }
                    throw Damage(reason: Self.reason(against: bytes, at: at))
                }
                hasHeader = true
                at += 512
                return header
            }
            guard hasHeader || at > 0 else { throw Damage(reason: "has \(file.size) bytes, too few for a tar") }
            if at == start {
                throw Damage(
                    reason: "the archive is cut short at byte \(file.size): the zeros that close a tar are missing")
            }
            return nil
        }

        private static func reason(against bytes: [UInt8], at place: Int) -> String {
            let magics: [([UInt8], String)] = [
                ([0x1F, 0x8B], "gzip"), ([0x28, 0xB5, 0x2F, 0xFD], "zstd"), (Array("BZh".utf8), "bzip2"),
                ([0xFD, 0x37, 0x7A], "xz"), (Array("PK".utf8), "zip"),
            ]
            if place == 0, let (_, name) = magics.first(where: { bytes.starts(with: $0.0) }) {
                return "is compressed by \(name), of which single pictures cannot be read: unpack it into a plain .tar"
            }
            return place == 0 ? "is no tar" : "the archive is damaged at byte \(place): there is no header"
        }

        mutating func take(_ header: TarHeader) throws {
            let size = header.isExtended ? header.size : long.size ?? header.size
            guard let size, header.hasContents || header.isExtended else {
                if header.hasContents { throw Damage(reason: "the archive is damaged at byte \(at - 512): no size") }
                try takeOther(header)
                return
            }
            guard size <= file.size - at else {
                throw Damage(
                    reason: "the archive is cut short: a member of \(size) bytes at \(at), but \(file.size) in all")
            }
            let range = at..<at + size
            if header.isExtended {
                if size <= TarReader.limit { long.take(header.kind, try file.bytes(range)) }
            } else {
                takeFile(header, range)
            }
            at += (size + 511) / 512 * 512
        }

        private mutating func takeFile(_ header: TarHeader, _ range: Range<Int>) {
            defer { long = Extended() }
            let name = long.path ?? header.name
            switch header.kind {
            case "0", "7", "\0":
                if long.isSparse {
                    problems.append(
                        Problem(member: name, reason: "is stored with holes (sparse): pack it anew without --sparse"))
                } else if !name.isEmpty {
                    members.append(Member(name: name.belowAnyFolder, range: range))
                }
            default:
                problems.append(Problem(member: name, reason: "is part of a tar in several volumes: join them"))
            }
        }

        /// Links, folders, labels, devices: nothing follows their header, but for what old sparse files append to it.
        private mutating func takeOther(_ header: TarHeader) throws {
            defer { long = Extended() }
            let name = (long.path ?? header.name).belowAnyFolder
            switch header.kind {
            case "1": links.append((name, long.link ?? header.link, false))
            case "2": links.append((name, long.link ?? header.link, true))
            case "S":
                problems.append(
                    Problem(member: name, reason: "is stored with holes (sparse): pack it anew without --sparse"))
                var continues = header.continuesSparse
                while continues {
                    guard at + 512 <= file.size else { throw Damage(reason: "the archive is cut short at byte \(at)") }
                    continues = try file.bytes(at + 504..<at + 505)[0] != 0
                    at += 512
                }
                let size = long.size ?? header.size ?? 0
                guard size <= file.size - at else { throw Damage(reason: "the archive is cut short at byte \(at)") }
                at += (size + 511) / 512 * 512
            default: break
            }
        }

        /// A link to a member stands for that member's bytes. Every chain is followed once.
        mutating func resolveLinks() {
            var ranges: [FilePath: Range<Int>] = [:], targets: [FilePath: FilePath] = [:]
            for member in members { ranges[member.name.lexicallyNormalized()] = member.range }
            for link in links {
                // Hard links have members' names, which lost what leads out of any folder.
                let target =
                    link.isSymbolic
                    ? link.name.removingLastComponent().pushing(link.target) : link.target.belowAnyFolder
                targets[link.name.lexicallyNormalized()] = target.lexicallyNormalized()
            }
            for link in links {
                var chain: [FilePath] = [], place = link.name.lexicallyNormalized()
                // What was followed is forgotten, which ends circles too.
                while ranges[place] == nil, let next = targets.removeValue(forKey: place) {
                    chain.append(place)
                    place = next
                }
                if let range = ranges[place] {
                    for name in chain { ranges[name] = range }
                    members.append(Member(name: link.name, range: range))
                } else if link.name.lastComponent.map(IndexListing.isPicture) ?? false {
                    let reason = "is a link to \(link.target.shown), which is not in the tar"
                    problems.append(Problem(member: link.name, reason: reason))
                }
            }
        }
    }

    /// What GNU's and POSIX's extended headers say of the member after them.
    private struct Extended {
        var path: FilePath?
        var link: FilePath?
        var size: Int?
        var isSparse = false

        mutating func take(_ kind: Character, _ bytes: [UInt8]) {
            switch kind {
            case "L": path = FilePath(bytes: bytes)
            case "K": link = FilePath(bytes: bytes)
            case "x": takeRecords(bytes)
            default: break
            }
        }

        /// Records "length key=value\n" (POSIX pax); a value may contain line ends, so their lengths count.
        private mutating func takeRecords(_ bytes: [UInt8]) {
            var rest = bytes[...]
            while let blank = rest.firstIndex(of: UInt8(ascii: " ")),
                let length = Int(String(decoding: rest[..<blank], as: UTF8.self)),
                length > blank - rest.startIndex + 1, length <= rest.count
            {
                let record = rest[(blank + 1)..<(rest.startIndex + length - 1)]
                rest = rest.dropFirst(length)
                let parts = record.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2 else { continue }
                switch String(decoding: parts[0], as: UTF8.self) {
                case "path": path = FilePath(bytes: parts[1])
                case "linkpath": link = FilePath(bytes: parts[1])
                case "size": size = Int(String(decoding: parts[1], as: UTF8.self)).flatMap { $0 >= 0 ? $0 : nil }
                case let key where key.hasPrefix("GNU.sparse."): isSparse = true
                default: break
                }
            }
        }
    }
}
