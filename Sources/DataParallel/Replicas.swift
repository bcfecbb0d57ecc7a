package import MessagePassing
package import TensorCore

/// Ranks that should hold the same do not.
package struct ReplicaMismatchError: SharedError, CustomStringConvertible {
    /// What differs, on which ranks and hosts.
    package let finding: String
    /// What to do about it.
    package let remedy: String

    package var description: String { "\(finding); \(remedy)" }
}

/// Overwrites the tensors of every rank by rank zero's. Collective; the shapes must agree.
package func broadcastParameters(_ tensors: [Tensor], over communicator: any Collective) throws {
    for tensor in tensors { try communicator.broadcast(tensor.floats, from: 0) }
}

/// Throws on every rank, naming the first tensor and the ranks that differ from the others with their hosts, unless all
/// ranks hold the same bits. Collective; one small all-reduce when all is well.
///
/// - Returns: the seconds for which the slowest rank looked at its tensors.
@discardableResult
package func verifyReplicasAgree(
    _ tensors: [(name: String, tensor: Tensor)], over communicator: any Collective
) throws -> Double {
    guard communicator.size > 1 else { return 0 }
    let clock = ContinuousClock(), start = clock.now
    var names = BitHash(), all = BitHash()
    let hashes = tensors.map { name, tensor in
        names.add(text: name)
        var hash = BitHash()
        hash.add(tensor)
        all.add(hash.value)
        return hash.value
    }
    let own = [names.value, all.value].map { Int64(bitPattern: $0) }
    // The minimum of h and of ~h, which is the complement of the maximum.
    let least = try communicator.minimum(
        own + own.map { ~$0 } + [-Int64((clock.now - start).inSeconds * 1e9)])
    guard least[0] != ~least[2] || least[1] != ~least[3] else { return Double(-least[4]) / 1e9 }
    try verifyRanksAgree(
        names.value, on: "the list of tensors", remedy: "start every rank with the same configuration", communicator)
    guard let index = try firstDifference(hashes, communicator) else {
        throw ReplicaMismatchError(
            finding: "ranks do not agree on a hash of all values, and on those of each tensor", remedy: mismatchRemedy)
    }
    try verifyRanksAgree(
        hashes[index], on: "the values of \(tensors[index].name)",
        remedy: mismatchRemedy, communicator)
    return 0
}

private let mismatchRemedy =
    "this state is not saved: start again from the last checkpoint, and check the memory of those hosts"

/// Throws the same error on every rank, naming those outside the majority, unless all hold the same `text`: for example
/// the resolved configuration or the program's version. Collective.
package func verifyRanksAgree(
    onText text: String, subject: String, remedy: String, over communicator: any Collective
) throws {
    var hash = BitHash()
    hash.add(text: text)
    try verifyRanksAgree(hash.value, on: subject, remedy: remedy, communicator)
}

/// Throws the same error on every rank, naming those outside the majority, unless all hold the same `hash`. Collective.
func verifyRanksAgree(
    _ hash: UInt64, on subject: String, remedy: String, _ communicator: any Collective
) throws {
    guard try firstDifference([hash], communicator) != nil else { return }
    let hashes = try communicator.allGather([hash]).map { $0[0] }
    let hosts = try communicator.allGather(communicator.hostName)
    throw ReplicaMismatchError(
        finding: "ranks do not agree on \(subject): \(difference(among: hashes, hosts))", remedy: remedy)
}

/// Who differs: those outside the majority, or all where there is none, as of two ranks.
private func difference(among hashes: [UInt64], _ hosts: [String]) -> String {
    let counts = Dictionary(grouping: hashes, by: { $0 }).mapValues(\.count)
    let common = counts.first { 2 * $0.value > hashes.count }?.key
    let differing = hashes.indices.filter { hashes[$0] != common }
    let listed =
        differing.prefix(16).map { "\($0) (\(hosts[$0]))" }.joined(separator: ", ")
        + (differing.count > 16 ? ", …" : "")
    guard common != nil else { return "ranks \(listed) differ, and no value has a majority" }
    return differing.count == 1
        ? "rank \(listed) differs from the rest of \(hashes.count)"
        : "ranks \(listed) differ from the rest of \(hashes.count)"
}

/// The first index whose hash is not the same on all ranks. One all-reduce: the minimum of h and of ~h, which is the
/// complement of the maximum.
private func firstDifference(_ hashes: [UInt64], _ communicator: any Collective) throws -> Int? {
    let words = hashes.map { Int64(bitPattern: $0) }
    let least = try communicator.minimum(words + words.map { ~$0 })
    return hashes.indices.first { least[$0] != ~least[$0 + hashes.count] }
}
