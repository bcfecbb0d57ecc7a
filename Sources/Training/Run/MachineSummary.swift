package import MessagePassing
import TensorCore

/// What a run computes on, as its log and page say it: "4 ranks on 2 hosts, AMD EPYC 7543, Open MPI 4.1.4".
package struct MachineSummary: Sendable, Equatable {
    package let text: String

    /// Of all ranks, on these hosts. Collective.
    package init(_ world: any Collective, hosts: [String]) throws {
        let processors = try world.allGather(Processor.model ?? "unknown processor")
        self.init(hosts: hosts, processors: processors, library: MPILibrary.ofThisProcess.words)
    }

    /// - Parameters:
    ///   - hosts: the host of each rank.
    ///   - processors: the processor's name of each rank.
    ///   - library: what MPI's library says of itself.
    package init(hosts: [String], processors: [String], library: String) {
        let names = hosts.indices.filter { hosts.firstIndex(of: hosts[$0]) == $0 }
        let kinds = Dictionary(grouping: names) { processors[$0] }.sorted {
            ($1.value.count, $0.key) < ($0.value.count, $1.key)
        }
        let models = kinds.map { kinds.count == 1 ? $0.key : "\($0.value.count) × \($0.key)" }
        let place = names.count == 1 ? "\(hosts[0])" : "\(names.count) hosts"
        let release = MPIRelease(words: library).map { ", \($0)" } ?? ""
        text =
            "\(hosts.count) rank\(hosts.count == 1 ? "" : "s") on \(place), \(models.joined(separator: ", "))\(release)"
    }
}
