/// Which rank saves which tensor: whole tensors, the largest first, each to the rank with the fewest bytes so far.
struct ShardPlan {
    /// For each tensor, in the order given, the rank that saves it.
    let owners: [Int]

    init(_ tensors: [SavedTensor], ranks: Int) {
        var owners = [Int](repeating: 0, count: tensors.count)
        var loads = [Int](repeating: 0, count: ranks)
        let largestFirst = tensors.indices.sorted {
            (tensors[$1].byteCount, tensors[$0].name) < (tensors[$0].byteCount, tensors[$1].name)
        }
        for index in largestFirst {
            let owner = loads.indices.min { loads[$0] < loads[$1] }!
            owners[index] = owner
            loads[owner] += tensors[index].byteCount
        }
        self.owners = owners
    }
}
