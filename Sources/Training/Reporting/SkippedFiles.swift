import Files
import SystemPackage

/// skipped.txt: what lies among a run's pictures and is not used, a line "path<tab>reason" each, each file once.
struct SkippedFiles {
    private let path: FilePath
    /// By what a file is called: whether it was to be used since this start, and could not be read.
    private var failures: [Substring: Bool] = [:]
    private var file: PatientFile?
    /// What is to be written.
    private var waiting: [UInt8] = []

    init(path: FilePath) { self.path = path }

    var count: Int { failures.count }

    /// Files that could not be read since this start.
    var failureCount: Int { failures.values.count { $0 } }

    /// Takes up what an earlier start has written; a run that begins anew keeps nothing of it.
    mutating func begin(isResumed: Bool) throws {
        guard FileSystem.exists(path) else { return }
        guard isResumed else { return try FileSystem.remove(path) }
        let text = try WholeFile.text(of: path)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // A crash may have cut the last one.
        if let last = lines.popLast(), !last.isEmpty { try WholeFile.write(lines.map { $0 + "\n" }.joined(), to: path) }
        for line in lines where !line.isEmpty { failures[Self.name(line)] = false }
    }

    /// Takes up lines, and returns those of files that are new.
    ///
    /// - Parameter areFailures: whether these were to be used; not so of what was left out when the pictures were listed.
    mutating func add(_ lines: [String], areFailures: Bool) -> [String] {
        let new = lines.filter { line in
            let name = Self.name(line[...]), known = failures[name]
            failures[name] = areFailures || known ?? false
            return known == nil
        }.sorted()
        waiting += new.flatMap { Array(($0 + "\n").utf8) }
        return new
    }

    /// Writes what has been added; what is not taken is written the next time.
    mutating func write() throws {
        guard file != nil || !waiting.isEmpty else { return }
        let file = try file ?? PatientFile(path: path), lines = waiting
        (self.file, waiting) = (file, [])
        try file.append(lines)
    }

    private static func name(_ line: Substring) -> Substring { line.prefix { $0 != "\t" } }
}
