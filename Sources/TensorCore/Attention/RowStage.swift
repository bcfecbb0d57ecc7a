/// Rows of a quantity that are computed, from rows of others, when they are asked for; the last ones are kept.
///
/// Chains of such stages pass over rows in order and hold a few of each: whoever needs a neighbouring row asks for it.
final class RowStage {
    private let compute: (_ row: Int, _ target: UnsafeMutablePointer<Float>) -> Void
    private let size: Int
    private let capacity: Int
    /// The one that was asked for last is the last.
    private var kept: [(row: Int, tensor: Tensor)] = []

    /// - Parameters:
    ///   - capacity: rows that are kept, and that may be held at a time.
    ///   - size: numbers of a row.
    init(
        keeping capacity: Int, size: Int,
        _ compute: @escaping (_ row: Int, _ target: UnsafeMutablePointer<Float>) -> Void
    ) {
        (self.capacity, self.size, self.compute) = (capacity, size, compute)
    }

    /// Valid until `capacity` other rows have been asked for.
    // SAFETY: the stage keeps the tensor behind the pointer for so long.
    subscript(row: Int) -> UnsafePointer<Float> {
        if let place = kept.firstIndex(where: { $0.row == row }) {
            let found = kept.remove(at: place)
            kept.append(found)
            return UnsafePointer(found.tensor.pointer)
        }
        let tensor = kept.count < capacity ? Tensor([size]) : kept.removeFirst().tensor
        compute(row, tensor.pointer)
        kept.append((row, tensor))
        return UnsafePointer(tensor.pointer)
    }
}
