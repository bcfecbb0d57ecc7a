/// Finds the key or section that a mistyped name was meant to be.
enum KeySuggestion {
    /// The setting nearest to `path`, nil where none is near.
    ///
    /// The whole path and its last part alone are both compared, letter case and `_` `-` aside, and a setting is also
    /// found by the names that other programs use for it.
    static func setting(for path: String) -> Setting? {
        let typed = normalized(path)
        let typedName = normalized(lastPart(path))
        let parent = path.split(separator: ".").dropLast().joined(separator: ".")
        var best: (setting: Setting, distance: Double)?
        for setting in Setting.all {
            // A key of the same section wins over one of another section that is as near.
            let elsewhere = setting.parent == parent ? 0 : 0.5
            var distance = Double(editDistance(typed, normalized(setting.path)))
            distance = min(distance, Double(editDistance(typedName, normalized(setting.name))) + elsewhere)
            if setting.synonyms.contains(where: { normalized($0) == typedName }) { distance = min(distance, elsewhere) }
            if distance < best?.distance ?? .infinity { best = (setting, distance) }
        }
        guard let best, best.distance <= limit(typedName) else { return nil }
        return best.setting
    }

    static func section(for path: String) -> Section? {
        let typed = normalized(path)
        let best = Section.all.min {
            editDistance(typed, normalized($0.path)) < editDistance(typed, normalized($1.path))
        }
        guard let best, Double(editDistance(typed, normalized(best.path))) <= limit(typed) else { return nil }
        return best
    }

    /// Three wrong letters, but never so many that little of a short name is left.
    private static func limit(_ name: [Character]) -> Double { min(3.5, Double(name.count) / 2) }

    private static func lastPart(_ path: String) -> String {
        path.split(separator: ".").last.map(String.init) ?? path
    }

    private static func normalized(_ name: String) -> [Character] {
        name.lowercased().filter { $0 != "_" && $0 != "-" }.map { $0 }
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment).
    static func editDistance(_ a: [Character], _ b: [Character]) -> Int {
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
