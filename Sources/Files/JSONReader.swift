/// Reads JSON from outside front to back, without building a tree, so that memory stays in proportion to what the
/// caller keeps, and refuses what is not JSON (RFC 8259) or is nested deeper than 32.
package struct JSONReader {
    package struct Failure: Error, CustomStringConvertible {
        package let position: Int
        package let reason: String
        package var description: String { "\(reason) at byte \(position)" }
    }

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package func failure(_ reason: String) -> Failure { Failure(position: position, reason: reason) }

    /// Calls `member` with each key; it must read the value. A key given twice is an error.
    package mutating func object(_ member: (_ reader: inout JSONReader, _ key: String) throws -> Void) throws {
        var keys: Set<String> = []
        try list(open: "{", close: "}") { reader in
            let key = try reader.string()
            guard keys.insert(key).inserted else { throw reader.failure("the key '\(key.prefix(80))' is given twice") }
            try reader.expect(":")
            try member(&reader, key)
        }
    }

    /// Calls `element` for each element; it must read it.
    package mutating func array(_ element: (_ reader: inout JSONReader) throws -> Void) throws {
        try list(open: "[", close: "]", element)
    }

    private mutating func list(
        open: Unicode.Scalar, close: Unicode.Scalar, _ item: (_ reader: inout JSONReader) throws -> Void
    ) throws {
        try expect(open)
        depth += 1
        guard depth <= 32 else { throw failure("nested deeper than 32") }
        defer { depth -= 1 }
        if skip(close) { return }
        repeat { try item(&self) } while skip(",")
        try expect(close)
    }

    package mutating func string() throws -> String {
        try expect("\"")
        var text: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw failure("a string is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"): text += Array(String(try escape()).utf8)
            case 0..<0x20: throw failure("a control character in a string")
            default: text.append(byte)
            }
        }
        throw failure("a string without end")
    }

    private mutating func escape() throws -> Unicode.Scalar {
        guard position < bytes.count else { throw failure("a string without end") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if 0xD800..<0xDC00 ~= code, bytes[position...].starts(with: "\\u".utf8) {
                position += 2
                let low = try hexadecimal()
                guard 0xDC00..<0xE000 ~= low else { throw failure("half a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("half a surrogate pair") }
            return scalar
        default: throw failure("an unknown escape in a string")
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard position < bytes.count, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue,
                bytes[position] < 0x80
            else { throw failure("four hexadecimal digits expected") }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    /// A whole number that fits the type asked for.
    package mutating func integer<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) throws -> Number {
        let text = try numberText()
        guard let value = Number(text) else { throw failure("\(text.prefix(40)) is not a whole number in range") }
        return value
    }

    /// A number that is finite as a double.
    package mutating func number() throws -> Double {
        let text = try numberText()
        guard let value = Double(text), value.isFinite else { throw failure("\(text.prefix(40)) is out of range") }
        return value
    }

    /// Any number; also null and what Python writes for no number: NaN, Infinity and -Infinity.
    package mutating func double() throws -> Double {
        skipSpace()
        if position < bytes.count, !(UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[position]) {
            for (word, value) in Self.noNumbers where bytes[position...].starts(with: word.utf8) {
                position += word.utf8.count
                return value
            }
        }
        guard let value = Double(try numberText()) else { throw failure("a number expected") }
        return value
    }

    /// The same; nil for a value of another kind, which is skipped.
    package mutating func doubleIfNumber() throws -> Double? {
        skipSpace()
        guard position < bytes.count, "\"[{tf".utf8.contains(bytes[position]) else { return try double() }
        try skipValue()
        return nil
    }

    private static let noNumbers: [(String, Double)] = [
        ("null", .nan), ("NaN", .nan), ("Infinity", .infinity), ("-Infinity", -.infinity),
    ]

    /// true or false, or 1 or 0 for them.
    package mutating func flag() throws -> Bool {
        skipSpace()
        for (word, value) in [("true", true), ("false", false), ("null", false)]
        where bytes[position...].starts(with: word.utf8) {
            position += word.utf8.count
            return value
        }
        return try integer(Int.self) != 0
    }

    private mutating func numberText() throws -> String {
        let range = try skipNumber()
        return String(decoding: bytes[range], as: UTF8.self)
    }

    private mutating func skipNumber() throws -> Range<Int> {
        skipSpace()
        let start = position
        func isDigit(_ index: Int) -> Bool {
            index < bytes.count && UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[index]
        }
        func digits() throws {
            guard isDigit(position) else { throw failure("a number expected") }
            while isDigit(position) { position += 1 }
        }
        if position < bytes.count && bytes[position] == UInt8(ascii: "-") { position += 1 }
        if isDigit(position), bytes[position] == UInt8(ascii: "0") { position += 1 } else { try digits() }
        if position < bytes.count && bytes[position] == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if position < bytes.count && (bytes[position] | 0x20) == UInt8(ascii: "e") {
            position += 1
            let hasSign = position < bytes.count && [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[position])
            if hasSign { position += 1 }
            try digits()
        }
        return start..<position
    }

    /// Reads over any value.
    package mutating func skipValue() throws {
        skipSpace()
        guard position < bytes.count else { throw failure("a value expected") }
        switch bytes[position] {
        case UInt8(ascii: "{"): try object { reader, _ in try reader.skipValue() }
        case UInt8(ascii: "["): try array { try $0.skipValue() }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        default: _ = try skipNumber()
        }
    }

    private mutating func literal(_ word: String) throws {
        guard bytes[position...].starts(with: word.utf8) else { throw failure("a value expected") }
        position += word.utf8.count
    }

    /// Says that nothing but space may follow.
    package mutating func end() throws {
        skipSpace()
        guard position == bytes.count else { throw failure("something follows the end") }
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws {
        guard skip(character) else { throw failure("'\(character)' expected") }
    }
}

extension String {
    /// This text as a JSON string, with its quotation marks.
    package var quotedAsJSON: String {
        var quoted = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case "\u{0}"..<"\u{20}":
                quoted += "\\u" + String(scalar.value, radix: 16).zeroPadded(to: 4)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
