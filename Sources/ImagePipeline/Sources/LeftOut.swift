import Files
import SystemPackage

/// What a listing met and did not take, for people.
package struct LeftOut: Sendable, Equatable {
    /// A picture, folder or archive that cannot be used.
    package struct Item: Sendable, Hashable {
        /// Its path, on one line.
        package let path: String
        package let reason: String
    }

    /// At most `limit` of those that cannot be used; `skippedCount` counts all.
    package internal(set) var skipped: [Item] = []
    package internal(set) var skippedCount = 0
    /// Files that are no pictures by their names, by ending (`.heic`; empty without one).
    package internal(set) var ignored: [String: Int] = [:]

    /// So many are named; a folder of a million dead links needs no million lines.
    static let limit = 1000

    package var ignoredCount: Int { ignored.values.reduce(0, +) }

    mutating func skip(_ path: FilePath, _ reason: String) { skip(path.shown, reason) }

    mutating func skip(_ shownPath: String, _ reason: String) {
        skippedCount += 1
        if skipped.count < Self.limit { skipped.append(Item(path: shownPath, reason: reason)) }
    }

    mutating func ignore(_ name: FilePath.Component) {
        let ending = name.extension.map { "." + shownText(String($0.lowercased().prefix(12))) } ?? ""
        ignored[ending, default: 0] += 1
    }

    /// What was noted after `before` was.
    func since(_ before: LeftOut) -> LeftOut {
        var rest = self
        rest.skipped.removeFirst(before.skipped.count)
        rest.skippedCount -= before.skippedCount
        rest.ignored = ignored.merging(before.ignored) { $0 - $1 }.filter { $0.value > 0 }
        return rest
    }

    /// Endings with their numbers, most first: "12 .heic, 3 .webp, 1 without an ending".
    package var ignoredByEnding: String {
        let sorted = ignored.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let named = sorted.prefix(8).map { "\($0.value) \($0.key.isEmpty ? "without an ending" : $0.key)" }
        let rest = sorted.dropFirst(8).reduce(0) { $0 + $1.value }
        return (named + (rest > 0 ? ["\(rest) others"] : [])).joined(separator: ", ")
    }

    /// All of it in a few words, the first skipped ones by name.
    var summary: String {
        guard ignoredCount + skippedCount > 0 else { return "nothing" }
        var parts = ignored.isEmpty ? [] : [ignoredByEnding]
        parts += skipped.prefix(3).map { "\($0.path) (\($0.reason))" }
        if skippedCount > 3 { parts.append("\(skippedCount - 3) more that cannot be used") }
        return parts.joined(separator: ", ")
    }
}
