import Files
import MessagePassing
package import SystemPackage

/// The settings in a reference's header.
package struct ReferenceMetadata {
    package let path: FilePath
    private let texts: [String: String]

    init(path: FilePath, texts: [String: String]) { (self.path, self.texts) = (path, texts) }

    package func has(_ key: String) -> Bool { texts[key] != nil }

    package func text(_ key: String) throws -> String { try parsed(key) { $0 } }

    package func parsed<Value>(_ key: String, _ parse: (String) -> Value?) throws -> Value {
        guard let text = texts[key] else {
            throw ReferenceError(description: "\(path.shown): no '\(key)' in its metadata; is it a reference file?")
        }
        guard let value = parse(text) else {
            throw ReferenceError(description: "\(path.shown): metadata '\(key)' is '\(text)', which cannot be read")
        }
        return value
    }

    /// A whole number of this range, which bounds what is made of it.
    package func number(_ key: String, in range: ClosedRange<Int>) throws -> Int {
        let value = try parsed(key, Int.init)
        guard range.contains(value) else {
            throw ReferenceError(
                description:
                    "\(path.shown): metadata '\(key)' is \(value), which is not from \(range.lowerBound) to "
                    + "\(range.upperBound)")
        }
        return value
    }

    /// Values with commas between them.
    package func list<Value>(_ key: String, _ parse: (String) -> Value?) throws -> [Value] {
        try parsed(key) { text in
            let values = text.split(separator: ",").map { parse(String($0)) }
            return values.contains { $0 == nil } ? nil : values.compactMap { $0 }
        }
    }
}

/// The reference cannot be used; thrown alike on every rank.
package struct ReferenceError: SharedError, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}
