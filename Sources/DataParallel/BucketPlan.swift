/// Which gradients travel together, fixed before the first step.
///
/// Backward passes complete gradients in about the reverse order of the parameters, so buckets are filled in that
/// order. The first is small, so that communication starts early; the others are large enough for bandwidth (Li et al.
/// 2020, "PyTorch Distributed", uses 1 and 25 MiB).
package struct BucketPlan: Sendable, Equatable {
    /// Where one parameter's gradient lies in its bucket.
    package struct Slot: Sendable, Equatable {
        /// The parameter's index in the order given.
        package let parameter: Int
        /// In elements from the start of the bucket; a multiple of 16 (64 bytes).
        package let offset: Int
        /// In elements.
        package let count: Int
    }

    package struct Bucket: Sendable, Equatable {
        package let slots: [Slot]
        /// In elements, with the padding that alignment needs.
        package let count: Int
    }

    /// In the order in which they are reduced.
    package let buckets: [Bucket]
    /// A hash of names, sizes and places, equal on all ranks that can work together.
    package let hash: UInt64

    static let alignment = 16

    /// - Parameters:
    ///   - parameters: names and element counts, in the model's order.
    ///   - firstBucketBytes: a bucket is closed once it holds this much; applies to the first.
    ///   - bucketBytes: the same for all others.
    package init(
        parameters: [(name: String, count: Int)], firstBucketBytes: Int = 2 << 20, bucketBytes: Int = 16 << 20
    ) {
        var buckets: [Bucket] = []
        var slots: [Slot] = []
        var end = 0
        func close() {
            buckets.append(Bucket(slots: slots, count: end))
            slots = []
            end = 0
        }
        for index in parameters.indices.reversed() {
            let count = parameters[index].count
            slots.append(Slot(parameter: index, offset: end, count: count))
            end += (count + Self.alignment - 1) / Self.alignment * Self.alignment
            if end * MemoryLayout<Float>.stride >= (buckets.isEmpty ? firstBucketBytes : bucketBytes) { close() }
        }
        if !slots.isEmpty { close() }
        self.buckets = buckets

        var hash = BitHash()
        for bucket in buckets {
            hash.add(UInt64(bucket.count))
            for slot in bucket.slots {
                hash.add(text: parameters[slot.parameter].name)
                hash.add(UInt64(slot.offset))
                hash.add(UInt64(slot.count))
            }
        }
        self.hash = hash.value
    }
}
