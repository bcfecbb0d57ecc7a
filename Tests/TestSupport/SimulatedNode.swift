import TensorCore

/// A file or directory of `SimulatedFiles`: as everybody sees it, and as far as it is safe on the disk.
final class SimulatedNode {
    enum Kind { case file, directory }

    typealias Change = [(name: String, node: SimulatedNode?)]

    let kind: Kind
    /// Of a file.
    var bytes: [UInt8] = []
    private var safeBytes: [UInt8] = []
    /// Of a directory.
    private(set) var names: [String: SimulatedNode] = [:]
    private var safeNames: [String: SimulatedNode] = [:]
    /// Since the last synchronization; each is safe as a whole or not at all.
    private var changes: [Change] = []

    /// Of a file that is locked.
    var holder: SimulatedLock.Holder?

    private static let blockSize = 512

    init(_ kind: Kind) { self.kind = kind }

    func set(_ name: String, _ node: SimulatedNode?) { change([(name, node)]) }

    func change(_ change: Change) {
        changes.append(change)
        Self.apply(change, to: &names)
    }

    /// Makes what is seen safe.
    func synchronize() {
        (safeBytes, safeNames, changes) = (bytes, names, [])
    }

    /// Keeps what is safe, and of the rest what the generator has reached the disk.
    func losePower(_ generator: inout KeyedGenerator) {
        for change in changes where generator.integer(below: 2) == 1 { Self.apply(change, to: &safeNames) }
        bytes = tornBytes(&generator)
        names = safeNames
        holder = nil
        synchronize()
        for name in names.keys.sorted() { names[name]!.losePower(&generator) }
    }

    /// The safe bytes, and after them some of the blocks that came since; a block that never reached the disk is zero.
    private func tornBytes(_ generator: inout KeyedGenerator) -> [UInt8] {
        guard bytes.count > safeBytes.count, bytes.starts(with: safeBytes) else { return safeBytes }
        let end = safeBytes.count + generator.integer(below: bytes.count - safeBytes.count + 1)
        var torn = Array(bytes[..<end])
        for start in stride(from: safeBytes.count, to: end, by: Self.blockSize) where generator.integer(below: 4) == 0 {
            for place in start..<min(start + Self.blockSize, end) { torn[place] = 0 }
        }
        return torn
    }

    private static func apply(_ change: Change, to names: inout [String: SimulatedNode]) {
        for (name, node) in change { names[name] = node }
    }
}
