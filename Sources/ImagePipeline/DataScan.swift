/// What training would make of folders of images: every file decoded once.
public struct DataScan: Sendable {
    public let used: Int
    /// Path and reason of everything that would be skipped.
    public let skipped: [(path: String, reason: String)]
    public let ignored: Int
    public let classes: [(name: String, count: Int)]
    /// The shorter and longer sides of the pictures, sorted.
    private let shortSides: [Int]
    private let longSides: [Int]

    public init(roots: [String], progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }) throws {
        let index = try ImageIndex(roots: roots)
        var skipped: [(path: String, reason: String)] = [], short: [Int] = [], long: [Int] = []
        var counts = [Int](repeating: 0, count: index.classNames.count)
        for picture in 0..<index.count {
            do {
                let image = try ImageDecoder.decode(try index.bytes(of: picture))
                short.append(min(image.width, image.height))
                long.append(max(image.width, image.height))
                if let label = index.label(of: picture) { counts[label] += 1 }
            } catch let error as ImageError {
                skipped.append((index.description(of: picture), error.reason))
            }
            progress(picture + 1, index.count)
        }
        used = short.count
        ignored = index.ignored
        self.skipped = skipped
        classes = Array(zip(index.classNames, counts)).map { (name: $0.0, count: $0.1) }
        shortSides = short.sorted()
        longSides = long.sorted()
    }

    /// For people: counts, sizes, classes, and each file that would be skipped.
    public var report: String {
        var lines = ["\(used) images are used, \(skipped.count) skipped, \(ignored) other files ignored"]
        func range(_ sides: [Int]) -> String {
            "\(sides.first!) to \(sides.last!) px, median \(sides[sides.count / 2])"
        }
        if used > 0 {
            lines.append("shorter side \(range(shortSides)); longer side \(range(longSides))")
        }
        if !classes.isEmpty {
            let listed = classes.prefix(12).map { "\($0.name) (\($0.count))" }.joined(separator: ", ")
            lines.append("\(classes.count) class folders: \(listed)\(classes.count > 12 ? ", …" : "")")
        }
        lines += skipped.map { "skipped \($0.path): \($0.reason)" }
        return lines.joined(separator: "\n")
    }
}
