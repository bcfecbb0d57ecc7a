import Files
package import SystemPackage

/// What training would make of folders of images: every file decoded once.
package struct DataScan: Sendable {
    package let used: Int
    /// Everything that would be skipped, and what is no picture by its name.
    package let leftOut: LeftOut
    package let classes: [(name: String, count: Int)]
    /// The shorter and longer sides of the pictures, sorted.
    private let shortSides: [Int]
    private let longSides: [Int]

    package init(roots: [FilePath], progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }) throws {
        let index = try ImageIndex(roots: roots)
        var leftOut = index.leftOut, short: [Int] = [], long: [Int] = []
        var counts = [Int](repeating: 0, count: index.classNames.count)
        for picture in 0..<index.count {
            do {
                let image = try ImageDecoder.decode(try index.bytes(of: picture))
                short.append(min(image.width, image.height))
                long.append(max(image.width, image.height))
                if let label = index.label(of: picture) { counts[label] += 1 }
            } catch let error as ImageError {
                leftOut.skip(index.description(of: picture), error.reason)
            }
            progress(picture + 1, index.count)
        }
        used = short.count
        self.leftOut = leftOut
        classes = Array(zip(index.classNames, counts)).map { (name: $0.0, count: $0.1) }
        shortSides = short.sorted()
        longSides = long.sorted()
    }

    /// For people: counts, sizes, classes, and each file that would be skipped.
    package var report: String {
        let endings = leftOut.ignored.isEmpty ? "" : ": \(leftOut.ignoredByEnding)"
        var lines = [
            "\(used) images are used, \(leftOut.skippedCount) skipped, \(leftOut.ignoredCount) other files ignored\(endings)"
        ]
        func range(_ sides: [Int]) -> String {
            "\(sides.first!) to \(sides.last!) px, median \(sides[sides.count / 2])"
        }
        if used > 0 {
            lines.append("shorter side \(range(shortSides)); longer side \(range(longSides))")
        }
        if !classes.isEmpty {
            let listed = classes.prefix(12).map { "\(shownText($0.name)) (\($0.count))" }.joined(separator: ", ")
            lines.append("\(classes.count) class folders: \(listed)\(classes.count > 12 ? ", …" : "")")
        }
        lines += leftOut.skipped.map { "skipped \($0.path): \($0.reason)" }
        let unnamed = leftOut.skippedCount - leftOut.skipped.count
        if unnamed > 0 { lines.append("and \(unnamed) more are skipped") }
        return lines.joined(separator: "\n")
    }
}
