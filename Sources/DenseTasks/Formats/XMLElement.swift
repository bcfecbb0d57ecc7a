import Files

/// An element of an XML text: what annotations need of it, read strictly.
///
/// There are elements, attributes (which are checked and dropped), texts, comments, CDATA and the five named entities. A
/// document type is refused: it could name files to read or texts that grow without end.
struct XMLElement {
    let name: String
    /// Of the element itself, without that of those inside, trimmed.
    fileprivate(set) var text = ""
    fileprivate(set) var children: [XMLElement] = []

    /// The first child of this name.
    func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }

    /// Reads a text of one element.
    init(_ bytes: [UInt8]) throws {
        var reader = XMLReader(bytes)
        self = try reader.document()
    }

    fileprivate init(name: String) { self.name = name }
}

struct XMLFailure: Error, CustomStringConvertible {
    let line: Int
    let reason: String
    var description: String { "line \(line): \(reason)" }
}

private struct XMLReader {
    private let bytes: [UInt8]
    private var at: Int
    private var depth = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        at = bytes.count - bytes.withoutByteOrderMark.count
    }

    private func failure(_ reason: String) -> XMLFailure {
        XMLFailure(line: 1 + bytes.prefix(at).count { $0 == UInt8(ascii: "\n") }, reason: reason)
    }

    mutating func document() throws -> XMLElement {
        try skipMisc()
        guard skip("<") else { throw failure("an element expected") }
        let element = try element()
        try skipMisc()
        guard at == bytes.count else { throw failure("something follows the end of <\(shownText(element.name))>") }
        return element
    }

    /// Space, comments and instructions such as `<?xml … ?>` around elements.
    private mutating func skipMisc() throws {
        while true {
            skipSpace()
            if skip("<?") { try skipPast("?>") } else if skip("<!--") { try skipPast("-->") } else { break }
        }
        guard !bytes[at...].starts(with: "<!".utf8) else {
            throw failure("has a document type (<!…>), which could name other files; annotations need none: remove it")
        }
    }

    /// The rest of an element whose `<` has been read.
    private mutating func element() throws -> XMLElement {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 32 else { throw failure("nested deeper than 32") }
        var element = XMLElement(name: try name())
        try skipAttributes()
        if skip("/>") { return element }
        guard skip(">") else { throw failure("'>' expected") }
        var text: [UInt8] = []
        while true {
            if skip("</") {
                guard try name() == element.name else { throw failure("<\(shownText(element.name))> is not closed") }
                skipSpace()
                guard skip(">") else { throw failure("'>' expected") }
                break
            }
            try content(of: &element, &text)
        }
        guard let whole = String(validating: text, as: UTF8.self) else { throw failure("a text is not UTF-8") }
        element.text = whole.trimmingBlanks
        return element
    }

    private mutating func content(of element: inout XMLElement, _ text: inout [UInt8]) throws {
        if skip("<!--") {
            try skipPast("-->")
        } else if skip("<![CDATA[") {
            let start = at
            try skipPast("]]>")
            text += bytes[start..<at - 3]
        } else if skip("<?") {
            try skipPast("?>")
        } else if skip("<!") {
            throw failure("a declaration, which annotations do not have")
        } else if skip("<") {
            element.children.append(try self.element())
        } else if skip("&") {
            text += Array(String(try entity()).utf8)
        } else if at < bytes.count {
            text.append(bytes[at])
            at += 1
        } else {
            throw failure("ends inside <\(shownText(element.name))>; it was cut short")
        }
    }

    private mutating func skipAttributes() throws {
        skipSpace()
        while at < bytes.count, bytes[at] != UInt8(ascii: ">"), bytes[at] != UInt8(ascii: "/") {
            _ = try name()
            skipSpace()
            guard skip("=") else { throw failure("'=' expected in an attribute") }
            skipSpace()
            if skip("\"") {
                try skipPast("\"")
            } else if skip("'") {
                try skipPast("'")
            } else {
                throw failure("the value of an attribute expected")
            }
            skipSpace()
        }
    }

    private mutating func name() throws -> String {
        let start = at
        while at < bytes.count, Self.isOfName(bytes[at]) { at += 1 }
        guard at > start, let name = String(validating: bytes[start..<at], as: UTF8.self) else {
            throw failure("a name expected")
        }
        return name
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: ":"), 0x80...:
            true
        default: false
        }
    }

    /// What stands after `&`.
    private mutating func entity() throws -> Unicode.Scalar {
        let named: [(String, Unicode.Scalar)] = [
            ("lt;", "<"), ("gt;", ">"), ("amp;", "&"), ("quot;", "\""), ("apos;", "'"),
        ]
        for (name, scalar) in named where skip(name) { return scalar }
        guard skip("#") else { throw failure("an entity that is not one of XML's own") }
        let radix = skip("x") ? 16 : 10, start = at
        while at < bytes.count, at - start < 8, bytes[at] != UInt8(ascii: ";") { at += 1 }
        guard let value = UInt32(String(decoding: bytes[start..<at], as: UTF8.self), radix: radix), value > 0,
            let scalar = Unicode.Scalar(value), skip(";")
        else { throw failure("a character's number expected") }
        return scalar
    }

    private mutating func skip(_ text: String) -> Bool {
        guard bytes[at...].starts(with: text.utf8) else { return false }
        at += text.utf8.count
        return true
    }

    private mutating func skipPast(_ end: String) throws {
        while !skip(end) {
            guard at < bytes.count else { throw failure("'\(end)' is missing") }
            at += 1
        }
    }

    private mutating func skipSpace() {
        while at < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[at]) { at += 1 }
    }
}

extension String {
    /// Without blanks, tabs and ends of lines around it.
    var trimmingBlanks: String {
        let blanks: Set<Unicode.Scalar> = [" ", "\t", "\n", "\r"]
        var rest = unicodeScalars[...]
        while let first = rest.first, blanks.contains(first) { rest.removeFirst() }
        while let last = rest.last, blanks.contains(last) { rest.removeLast() }
        return String(String.UnicodeScalarView(rest))
    }
}
