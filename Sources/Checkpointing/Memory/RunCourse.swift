/// The way that a run took over its starts: tells a state that it may go on from one that it has left behind.
///
/// A host that was away comes back with states in its memory. Where the run meanwhile went on from an earlier step, those
/// are of a way that nobody follows any more.
package struct RunCourse: Sendable, Equatable {
    /// The step from which each start went on, in their order.
    package var starts: [Int]

    package init(starts: [Int] = []) { self.starts = starts }

    /// Whether no start after number `start`, from one, went on from before `step`.
    package func includes(step: Int, ofStart start: Int) -> Bool {
        (1...max(starts.count, 1)).contains(start) && starts.dropFirst(start).allSatisfy { $0 >= step }
    }
}
