import Settings

/// Finds the key or section that a mistyped name was meant to be.
extension Schema {
    /// The setting nearest to `path`, nil where none is near.
    ///
    /// The whole path and its last part alone are both compared, letter case and `_` `-` aside, and a setting is also
    /// found by the names that other programs use for it.
    func setting(near path: String) -> Setting<Root>? {
        let typed = MistypedName(path)
        let name = MistypedName(path.split(separator: ".").last.map(String.init) ?? path)
        let parent = path.split(separator: ".").dropLast().joined(separator: ".")
        var best: (setting: Setting<Root>, distance: Double)?
        for setting in settings {
            // A key of the same section wins over one of another section that is as near.
            let elsewhere = setting.parent == parent ? 0 : 0.5
            var distance = min(typed.distance(to: setting.path), name.distance(to: setting.name) + elsewhere)
            if setting.synonyms.contains(where: name.isSame) { distance = min(distance, elsewhere) }
            if distance < best?.distance ?? .infinity { best = (setting, distance) }
        }
        guard let best, best.distance <= name.limit else { return nil }
        return best.setting
    }

    func section(near path: String) -> Section<Root>? {
        let typed = MistypedName(path)
        let best = sections.min { typed.distance(to: $0.path) < typed.distance(to: $1.path) }
        guard let best, typed.distance(to: best.path) <= typed.limit else { return nil }
        return best
    }
}

private struct MistypedName {
    private let characters: [Character]

    init(_ name: String) { characters = Self.normalized(name) }

    /// Three wrong letters, but never so many that little of a short name is left.
    var limit: Double { min(3.5, Double(characters.count) / 2) }

    func isSame(_ name: String) -> Bool { Self.normalized(name) == characters }

    func distance(to name: String) -> Double { Double(Self.editDistance(characters, Self.normalized(name))) }

    private static func normalized(_ name: String) -> [Character] {
        name.lowercased().filter { $0 != "_" && $0 != "-" }.map { $0 }
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment).
    private static func editDistance(_ a: [Character], _ b: [Character]) -> Int {
        var rows = [Array(0...b.count)]
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var distance = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { distance = min(distance, rows[i - 1][j - 1] + 1) }
                row.append(distance)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
