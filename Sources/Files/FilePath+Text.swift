import Glibc
package import SystemPackage

/// Names of files are bytes. Most are UTF-8, and some are not: `shown` is for people, `text` for programs.
extension FilePath {
    /// The path for people, on one line (see `shownText`).
    package var shown: String { shownText(bytes) }

    /// The path as text that `init(text:)` turns back into the same bytes, for arguments, YAML and JSON.
    ///
    /// A byte that belongs to no UTF-8 character stands as a character of a private area, U+10F780 to U+10F7FF.
    package var text: String { Self.text(of: bytes) }

    package init(text: String) { self.init(bytes: Self.bytes(ofText: text)) }

    /// The path of these bytes, up to the first that is zero.
    package init(bytes: some Collection<UInt8>) {
        self.init(platformString: bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0])
    }

    package var bytes: [UInt8] { withPlatformString { bytesOfString($0) } }

    /// What `text` is for the bytes of an argument or a name.
    package static func text(of bytes: some Collection<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        forEachScalar(bytes) { scalar, invalid in
            if let scalar, byte(for: scalar) == nil { return text.append(scalar) }
            let bytes = scalar.map { Array(Unicode.UTF8.encode($0)!) } ?? Array(invalid)
            text.append(contentsOf: bytes.map { Unicode.Scalar(privateArea + UInt32($0))! })
        }
        return String(text)
    }

    /// The bytes for which `text` stands.
    package static func bytes(ofText text: String) -> [UInt8] {
        text.unicodeScalars.flatMap { scalar -> [UInt8] in
            if let byte = byte(for: scalar) { [byte] } else { Array(Unicode.UTF8.encode(scalar)!) }
        }
    }

    private static let privateArea: UInt32 = 0x10F700

    private static func byte(for scalar: Unicode.Scalar) -> UInt8? {
        (0x80...0xFF).contains(scalar.value &- privateArea) ? UInt8(scalar.value - privateArea) : nil
    }

    /// The order of paths everywhere: by their bytes, the same on every host whatever its language.
    package static func areInOrder(_ first: FilePath, _ second: FilePath) -> Bool {
        first.withPlatformString { first in second.withPlatformString { strcmp(first, $0) < 0 } }
    }

    /// The path with more at the end of its last name: `name.partial`.
    package func appending(suffix: String) -> FilePath { FilePath(bytes: bytes + Array(suffix.utf8)) }
}

extension FilePath.Component {
    package var bytes: [UInt8] { withPlatformString { bytesOfString($0) } }
    package var text: String { FilePath.text(of: bytes) }
    package var shown: String { shownText(bytes) }
    package var isHidden: Bool { bytes.first == UInt8(ascii: ".") }

    /// The order of names, as of paths.
    package static func areInOrder(_ first: Self, _ second: Self) -> Bool {
        first.withPlatformString { first in second.withPlatformString { strcmp(first, $0) < 0 } }
    }

    /// Whether the name ends so, small and capital letters alike.
    package func hasSuffix(_ suffix: String, ignoringCase: Bool = false) -> Bool {
        let end = Array(suffix.utf8)
        let bytes = bytes.suffix(end.count)
        return bytes.elementsEqual(end) { ignoringCase ? lowercase($0) == lowercase($1) : $0 == $1 }
    }
}

private func lowercase(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte + 0x20 : byte }

private func bytesOfString(_ string: UnsafePointer<CChar>) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: string, count: strlen(string)))
}
