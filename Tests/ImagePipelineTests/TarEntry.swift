import ImagePipeline

/// A member of a tar that a test makes.
struct TarEntry {
    var name: String
    /// The type flag: `0` a file, `1` a hard and `2` a symbolic link, …
    var kind: Character = "0"
    var link = ""
    var contents: [UInt8]

    /// A picture; links and labels have no contents.
    init(_ name: String, kind: Character = "0", link: String = "", contents: [UInt8]? = nil) {
        (self.name, self.kind, self.link) = (name, kind, link)
        self.contents = contents ?? (kind == "0" ? Self.jpeg : [])
    }

    static let jpeg = try! encodeJPEG(rgb: testPicture(20, 10).pixels, width: 20, height: 10)

    var bytes: [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, _ at: Int) { header.replaceSubrange(at..<at + text.utf8.count, with: text.utf8) }
        func octal(_ value: Int, digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: digits - text.count) + text
        }
        put(name, 0)
        put(octal(contents.count, digits: 11), 124)
        put("        ", 148)
        put(String(kind), 156)
        put(link, 157)
        put("ustar\u{0}00", 257)
        put(octal(header.reduce(0) { $0 + Int($1) }, digits: 6) + "\u{0} ", 148)
        return header + contents + [UInt8](repeating: 0, count: (512 - contents.count % 512) % 512)
    }
}

/// A whole archive, closed by zeros.
func tar(_ entries: [TarEntry]) -> [UInt8] { entries.flatMap(\.bytes) + [UInt8](repeating: 0, count: 1024) }
