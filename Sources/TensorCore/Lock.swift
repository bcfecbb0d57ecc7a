#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A mutex beside state that is not Sendable.
final class Lock: @unchecked Sendable {
    // @unchecked: the mutex is made for it.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

    init() { pthread_mutex_init(mutex, nil) }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func withLock<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}
