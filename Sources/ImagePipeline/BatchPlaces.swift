/// A value for each place of a batch. Several threads fill them at once, each place being one thread's.
package final class BatchPlaces<Value>: @unchecked Sendable {
    // @unchecked: no two threads have the same place, and whoever reads all of them waits for all threads first.
    private let values: UnsafeMutableBufferPointer<Value>

    package init(count: Int, _ value: Value) {
        values = .allocate(capacity: count)
        values.initialize(repeating: value)
    }

    deinit {
        values.deinitialize()
        values.deallocate()
    }

    package var count: Int { values.count }

    package subscript(place: Int) -> Value {
        get { values[check(place)] }
        set { values[check(place)] = newValue }
    }

    package var all: [Value] { Array(values) }

    /// SAFETY: a place beyond the batch would be other memory.
    private func check(_ place: Int) -> Int {
        precondition(values.indices.contains(place), "place \(place) of a batch of \(values.count)")
        return place
    }
}
