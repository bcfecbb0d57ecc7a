/// Numbers of nodes in a list such as "4,16,64", ascending.
package struct NodeCounts: Sendable, Equatable {
    package let counts: [Int]

    private static let most = 100_000

    /// - Throws: `ScalingError` that names what is no number of nodes.
    package init(_ text: String) throws {
        let counts = try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            guard let count = Int(part.filter { $0 != " " }), (1...Self.most).contains(count) else {
                throw ScalingError(
                    "'\(part)' is no number of nodes from 1 to \(Self.most); write them with commas: 4,16,64")
            }
            return count
        }
        self.counts = Set(counts).sorted()
    }
}
