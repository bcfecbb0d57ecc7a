import TensorCore

/// Draws of a set of pictures with replacement (Efron 1979), by which one sees how much a score owes to the choice of pictures.
///
/// Draws depend on their number and on how many pictures there are, and on nothing else: scores of two networks on one draw
/// are of the same pictures.
package enum Resampling {
    /// How often each of so many pictures is in a draw.
    package static func counts(draw: Int, of pictures: Int) -> [Int] {
        var generator = KeyedGenerator(UInt64(draw), 0x626F_6F74), counts = [Int](repeating: 0, count: pictures)
        for _ in 0..<pictures { counts[generator.integer(below: pictures)] += 1 }
        return counts
    }
}
