import Glibc

/// What the processor can do, as Linux lists it.
public enum Processor {
    /// The model's name, or nil where the system does not tell.
    public static let model: String? = field("model name")

    /// Instruction sets under their names in /proc/cpuinfo, for example `avx512_bf16`; empty where it does not tell.
    public static let features = Set((field("flags") ?? "").split(separator: " ").map(String.init))

    public static let isAMD = field("vendor_id") == "AuthenticAMD"

    public static func has(_ names: [String]) -> Bool { names.allSatisfy(features.contains) }

    /// The first value under `name` in /proc/cpuinfo.
    private static func field(_ name: String) -> String? {
        guard let file = fopen("/proc/cpuinfo", "r") else { return nil }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>? = nil
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, file) > 0, let line {
            let parts = String(cString: line).split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            if trimmed(parts[0]) == name { return trimmed(parts[1]) }
        }
        return nil
    }

    private static func trimmed(_ text: Substring) -> String {
        let isBlank = { (c: Character) in c == " " || c == "\t" || c == "\n" }
        let head = text.drop(while: isBlank)
        return String(head.reversed().drop(while: isBlank).reversed())
    }
}
