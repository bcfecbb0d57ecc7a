package import TensorCore

/// A model's tensors under their published names and in PyTorch's layout: the only place that turns OHWI into OIHW.
package struct StateDictionary {
    /// One tensor as files hold it.
    package struct Entry {
        package let name: String
        /// OIHW for kernels.
        package let shape: [Int]
        /// The elements in `shape`'s order: the model's own memory, or a copy where the layout differs.
        package let read: () -> Tensor
        /// Whether `read` gives a copy.
        package let copies: Bool
        package let write: (Tensor) -> Void

        /// Where new elements are put before `take`: the model's own memory, or some whose contents are undefined where the
        /// layout differs.
        package func room() -> Tensor { copies ? Tensor(shape) : read() }

        /// Makes the elements that were put into `room` the model's.
        package func take(_ room: Tensor) { if copies { write(room) } else { room.markChanged() } }
    }

    package let entries: [Entry]
    /// Counts of batches seen by each normalisation (`num_batches_tracked`).
    package let counters: [(name: String, statistics: RunningStatistics)]

    /// `strip` is removed from the front of each name, and only names that have it are kept.
    package init(_ state: ModelState, strippingPrefix strip: String = "") {
        func kept(_ name: String) -> String? { name.hasPrefix(strip) ? String(name.dropFirst(strip.count)) : nil }
        entries =
            state.parameters.compactMap { parameter in
                kept(parameter.name).map { Self.entry($0, of: parameter.value) }
            }
            + state.statistics.flatMap { running -> [Entry] in
                guard let name = kept(running.name) else { return [] }
                return [
                    Self.entry("\(name).running_mean", of: running.mean),
                    Self.entry("\(name).running_var", of: running.variance),
                ]
            }
        counters = state.statistics.compactMap { running in
            kept(running.name).map { ("\($0).num_batches_tracked", running) }
        }
    }

    /// The entry of a tensor that has `value`'s internal layout, such as a parameter, its gradient or its velocity.
    package static func entry(_ name: String, of value: Tensor) -> Entry {
        guard value.shape.count == 4 else {
            return Entry(
                name: name, shape: value.shape, read: { value }, copies: false, write: { value.copy(from: $0) })
        }
        let (o, h, w, i) = (value.shape[0], value.shape[1], value.shape[2], value.shape[3])
        return Entry(
            name: name, shape: [o, i, h, w],
            read: { value.permutedInner(outer: o, rows: h * w, columns: i).reshaped([o, i, h, w]) }, copies: true,
            write: { value.copy(from: $0.permutedInner(outer: o, rows: i, columns: h * w)) })
    }
}
