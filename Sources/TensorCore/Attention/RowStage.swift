/// Rows of a quantity that are computed, from rows of others, when they are asked for; the last ones are kept.
///
/// Chains of such stages pass over rows in order and hold a few of each: whoever needs a neighbouring row asks for it.
final class RowStage {
    private let compute: (_ rows: Range<Int>, _ target: UnsafeMutablePointer<Float>) -> Void
    private let size: Int
    private let capacity: Int
    private let count: Int
    private let rowsAtOnce: Int
    /// Blocks of rows; the one that was asked for last is the last.
    private var kept: [(block: Int, tensor: Tensor)] = []

    /// - Parameters:
    ///   - capacity: blocks of rows that are kept, and that may be held at a time.
    ///   - size: numbers of a row.
    ///   - count: rows that there are.
    ///   - rowsAtOnce: rows of a block, which are computed together.
    init(
        keeping capacity: Int, size: Int, of count: Int, rowsAtOnce: Int,
        _ compute: @escaping (_ rows: Range<Int>, _ target: UnsafeMutablePointer<Float>) -> Void
    ) {
        (self.capacity, self.size, self.count) = (capacity, size, count)
        (self.rowsAtOnce, self.compute) = (rowsAtOnce, compute)
    }

    /// Of rows that are computed one by one.
    convenience init(
        keeping capacity: Int, size: Int,
        _ compute: @escaping (_ row: Int, _ target: UnsafeMutablePointer<Float>) -> Void
    ) {
        self.init(keeping: capacity, size: size, of: .max, rowsAtOnce: 1) { compute($0.lowerBound, $1) }
    }

    /// Valid until `capacity` other blocks have been asked for.
    // SAFETY: the stage keeps the tensor behind the pointer for so long.
    subscript(row: Int) -> UnsafePointer<Float> {
        let (block, place) = row.quotientAndRemainder(dividingBy: rowsAtOnce)
        return UnsafePointer(tensor(block).pointer + place * size)
    }

    private func tensor(_ block: Int) -> Tensor {
        if let place = kept.firstIndex(where: { $0.block == block }) {
            kept.append(kept.remove(at: place))
            return kept.last!.tensor
        }
        let tensor = kept.count < capacity ? Tensor([rowsAtOnce * size]) : kept.removeFirst().tensor
        let first = block * rowsAtOnce
        compute(first..<min(first + rowsAtOnce, count), tensor.pointer)
        kept.append((block, tensor))
        return tensor
    }
}
