import SystemPackage

/// Names from outside as people are shown them: on one line, and without what would steer a terminal.
///
/// Control characters, marks that turn the direction of writing, backslashes and bytes that are no UTF-8 become
/// escapes as in C: `\n`, `\x1B`, `\xE9`, `\u{202E}`.
package func shownText(_ bytes: some Collection<UInt8>) -> String {
    var shown = ""
    forEachScalar(bytes) { scalar, invalid in
        if let scalar { shown += escaped(scalar) }
        for byte in invalid { shown += "\\x" + hexadecimal(UInt32(byte), digits: 2) }
    }
    return shown
}

/// The same of a text that came from outside: a member's name, a class, a `FilePath.text`.
package func shownText(_ text: String) -> String { shownText(FilePath.bytes(ofText: text)) }

private func escaped(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n": "\\n"
    case "\t": "\\t"
    case "\r": "\\r"
    case "\\": "\\\\"
    case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}": "\\x" + hexadecimal(scalar.value, digits: 2)
    case "\u{200B}"..."\u{200F}", "\u{2028}"..."\u{202E}", "\u{2066}"..."\u{2069}", "\u{FEFF}",
        "\u{FFFE}"..."\u{FFFF}":
        "\\u{" + hexadecimal(scalar.value, digits: 4) + "}"
    default: String(scalar)
    }
}

private func hexadecimal(_ value: UInt32, digits: Int) -> String {
    String(value, radix: 16, uppercase: true).zeroPadded(to: digits)
}

extension String {
    /// The text behind zeros up to a width: "00042".
    package func zeroPadded(to width: Int) -> String { String(repeating: "0", count: max(width - count, 0)) + self }
}

/// Walks over bytes: calls with a character, or with the bytes that belong to none.
func forEachScalar(_ bytes: some Collection<UInt8>, _ body: (Unicode.Scalar?, ArraySlice<UInt8>) -> Void) {
    let bytes = Array(bytes)
    var parser = Unicode.UTF8.ForwardParser(), iterator = bytes.makeIterator(), at = 0
    while true {
        switch parser.parseScalar(from: &iterator) {
        case .valid(let encoded):
            body(Unicode.UTF8.decode(encoded), [])
            at += encoded.count
        case .error(let length):
            body(nil, bytes[at..<at + length])
            at += length
        case .emptyInput:
            return
        }
    }
}
