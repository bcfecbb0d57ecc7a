/// Decides which of a simulation's threads runs. What a thread under it starts is under it too.
///
/// A program has none: its threads are the system's to schedule. Tests have one, under which ranks are threads of one
/// process that run one at a time.
package protocol ThreadSchedule: AnyObject, Sendable {
    /// What stands for a thread of this name, which the calling one is about to start.
    func add(name: String) -> AnyObject
    /// The first that a thread does: returns when it may run.
    func begin(_ thread: AnyObject)
    /// The last that a thread does; or done in the stead of one that the system did not give. Wakes those that wait for it.
    func end(_ thread: AnyObject)
    /// Returns once someone has woken those that wait for `condition`, or for no reason.
    func wait(for condition: AnyObject)
    /// Lets one of the threads that wait for `condition` go on, or all.
    func wake(_ condition: AnyObject, all: Bool)
}
