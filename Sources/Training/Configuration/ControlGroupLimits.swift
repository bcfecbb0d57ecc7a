import Files
import SystemPackage

/// What the control groups of a process (a container, a batch job, a service) leave it of its host: the least limit of
/// all groups that it is in, up to the outermost that can be seen, of version 1 and 2 of control groups.
package struct ControlGroupLimits: Sendable, Equatable {
    /// A limit and the group that sets it, which all processes of that group share.
    package struct Limit<Amount: Comparable & Sendable>: Sendable, Equatable {
        package let amount: Amount
        /// The group's folder.
        package let group: String
    }

    /// Processors' worth of time; nil without a limit.
    package private(set) var processors: Limit<Double>?
    /// Bytes; nil without a limit.
    package private(set) var memory: Limit<Int>?

    /// Of this process.
    package static func ofThisProcess() -> ControlGroupLimits {
        // A file that is not there sets no limit.
        ControlGroupLimits { try? WholeFile.text(of: FilePath($0)) }
    }

    /// Of the process whose `/proc/self` is read.
    ///
    /// - Parameter read: the text of a file, nil where there is none.
    package init(read: (_ path: String) -> String?) {
        guard let groups = read("/proc/self/cgroup"), let mounts = read("/proc/self/mountinfo") else { return }
        let hierarchies = mounts.split(separator: "\n").compactMap(Hierarchy.init)
        for line in groups.split(separator: "\n") {
            // "4:cpu,cpuacct:/job", or "0::/job" for version 2.
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let controllers = Set(fields[1].split(separator: ",").map(String.init))
            let folders = Hierarchy.folders(of: String(fields[2]), in: hierarchies.filter { $0.has(controllers) })
            for folder in folders {
                take(Self.processors(in: folder, read), Self.memory(in: folder, read), of: folder)
            }
        }
    }

    private mutating func take(_ processors: Double?, _ memory: Int?, of group: String) {
        if let processors, processors < self.processors?.amount ?? .infinity {
            self.processors = Limit(amount: processors, group: group)
        }
        if let memory, memory < self.memory?.amount ?? .max { self.memory = Limit(amount: memory, group: group) }
    }

    /// `cpu.max` is "50000 100000" (half a processor) or "max 100000"; version 1 has a file for each, and -1 for none.
    private static func processors(in folder: String, _ read: (String) -> String?) -> Double? {
        let files = ["cpu.cfs_quota_us", "cpu.cfs_period_us"].compactMap { read("\(folder)/\($0)") }
        let text = read("\(folder)/cpu.max") ?? files.joined(separator: " ")
        let numbers = text.split(whereSeparator: \.isWhitespace).map { Int($0) }
        guard numbers.count == 2, let quota = numbers[0], let period = numbers[1], quota > 0, period > 0 else {
            return nil
        }
        return Double(quota) / Double(period)
    }

    /// `memory.max` is a number or "max"; version 1 says 2⁶³ less a page for none.
    private static func memory(in folder: String, _ read: (String) -> String?) -> Int? {
        let text = read("\(folder)/memory.max") ?? read("\(folder)/memory.limit_in_bytes") ?? ""
        guard let bytes = Int(text.filter { !$0.isWhitespace }), bytes >= 0, bytes < 1 << 60 else { return nil }
        return bytes
    }
}

/// A mounted tree of control groups.
private struct Hierarchy {
    /// The group that is mounted, as paths of groups go.
    let root: String
    let mountPoint: String
    /// Of version 1; empty for version 2, which has all in one tree.
    let controllers: Set<String>

    /// A line of mountinfo: `36 25 0:30 ROOT MOUNTPOINT OPTIONS … - TYPE SOURCE OPTIONS`; nil for other file systems.
    init?(_ line: Substring) {
        let fields = line.split(separator: " ")
        guard let dash = fields.firstIndex(of: "-"), dash >= 5, fields.count > dash + 3 else { return nil }
        switch fields[dash + 1] {
        case "cgroup2": controllers = []
        case "cgroup": controllers = Set(fields[dash + 3].split(separator: ",").map(String.init))
        default: return nil
        }
        root = Self.unescaped(fields[3])
        mountPoint = Self.unescaped(fields[4])
    }

    func has(_ wanted: Set<String>) -> Bool {
        wanted.isSubset(of: controllers) && wanted.isEmpty == controllers.isEmpty
    }

    /// The folders of a group and all groups around it, as far as the trees show them.
    ///
    /// A tree that does not show the group (of another name space, where paths begin with `/..`) tells at least what holds
    /// at its top.
    static func folders(of group: String, in trees: [Hierarchy]) -> [String] {
        let showing = trees.filter { $0.part(of: group) != nil }
        return (showing.isEmpty ? Array(trees.prefix(1)) : showing).flatMap { tree in
            var folders = [tree.mountPoint]
            for name in (tree.part(of: group) ?? "").split(separator: "/") {
                folders.append("\(folders.last!)/\(name)")
            }
            return folders
        }
    }

    /// The group's path below the tree's top; nil where it is not below it.
    private func part(of group: String) -> String? {
        guard !group.split(separator: "/").contains("..") else { return nil }
        if root == "/" { return group }
        return group == root || group.hasPrefix(root + "/") ? String(group.dropFirst(root.count)) : nil
    }

    /// Spaces and the like are written as a backslash and three octal digits.
    private static func unescaped(_ field: Substring) -> String {
        var bytes: [UInt8] = [], rest = Substring(field).utf8
        while let byte = rest.popFirst() {
            let digits = String(Substring(rest.prefix(3)))
            if byte == UInt8(ascii: "\\"), digits.utf8.count == 3, let value = UInt8(digits, radix: 8) {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
