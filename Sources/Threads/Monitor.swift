import Glibc

/// A lock for state that threads share, with conditions on which they wait: `Mutex` of the Swift library has none.
///
/// A call of the system that fails here is a mistake of the program, and ends it.
package final class Monitor: @unchecked Sendable {
    /// What threads wait for; of one monitor.
    package final class Condition: @unchecked Sendable {
        // @unchecked: the condition variable is made for it.
        fileprivate let variable = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

        package init() { check(pthread_cond_init(variable, nil), "pthread_cond_init") }

        deinit {
            check(pthread_cond_destroy(variable), "pthread_cond_destroy")
            variable.deallocate()
        }

        package func wakeOne() {
            check(pthread_cond_signal(variable), "pthread_cond_signal")
            SystemThread.schedule?.wake(self, all: false)
        }

        package func wakeAll() {
            check(pthread_cond_broadcast(variable), "pthread_cond_broadcast")
            SystemThread.schedule?.wake(self, all: true)
        }
    }

    // @unchecked: the mutex is made for it.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

    package init() { check(pthread_mutex_init(mutex, nil), "pthread_mutex_init") }

    deinit {
        check(pthread_mutex_destroy(mutex), "pthread_mutex_destroy")
        mutex.deallocate()
    }

    package func withLock<Value>(_ body: () throws -> Value) rethrows -> Value {
        check(pthread_mutex_lock(mutex), "pthread_mutex_lock")
        defer { check(pthread_mutex_unlock(mutex), "pthread_mutex_unlock") }
        return try body()
    }

    /// Within `withLock`: gives the lock back until someone wakes this thread, or for no reason.
    package func wait(for condition: Condition) {
        guard let schedule = SystemThread.schedule else {
            return check(pthread_cond_wait(condition.variable, mutex), "pthread_cond_wait")
        }
        // Nobody else of the schedule runs before it has heard that this thread waits: no waking is missed.
        check(pthread_mutex_unlock(mutex), "pthread_mutex_unlock")
        schedule.wait(for: condition)
        check(pthread_mutex_lock(mutex), "pthread_mutex_lock")
    }

    /// Within `withLock`: gives the lock back until `isFulfilled` holds, which is asked whenever someone wakes this
    /// thread.
    package func wait(for condition: Condition, until isFulfilled: () -> Bool) {
        while !isFulfilled() { wait(for: condition) }
    }
}

private func check(_ code: Int32, _ call: StaticString) {
    precondition(code == 0, "\(call): \(String(cString: strerror(code)))")
}
