#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A thread that the system did not give.
public struct ThreadError: Error, CustomStringConvertible {
    public let description: String

    init(name: String, code: Int32) {
        description =
            "cannot start the thread '\(name)': \(String(cString: strerror(code))); this process may have no more threads "
            + "or memory: see `ulimit -u`, `ulimit -v` and the limits of its container, or set parallel.threads and "
            + "data.workers lower"
    }
}

/// A thread of the system, with a name by which `top -H` and reports of stacks show it.
public struct SystemThread: @unchecked Sendable {
    // @unchecked: a handle, which every thread may use.
    private let handle: pthread_t

    /// Starts `body`, which alone uses what it captures until it has ended. Of `name` 15 bytes are shown.
    public init(_ name: String, _ body: @escaping () -> Void) throws(ThreadError) {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var handle = pthread_t()
        let code = pthread_create(
            &handle, nil,
            { argument in
                Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw ThreadError(name: name, code: code)
        }
        self.handle = handle
    }

    /// Returns when the thread has ended. Once, and not after `detach`.
    public func join() {
        let code = pthread_join(handle, nil)
        precondition(code == 0, "pthread_join: \(String(cString: strerror(code)))")
    }

    /// Lets the thread end by itself: nobody waits for it.
    public func detach() {
        let code = pthread_detach(handle)
        precondition(code == 0, "pthread_detach: \(String(cString: strerror(code)))")
    }
}

private final class Start {
    private let name: String
    private let body: () -> Void

    init(name: String, body: @escaping () -> Void) {
        self.name = name
        self.body = body
    }

    func run() {
        showName()
        body()
    }

    /// Where the system does not take it, the thread has the program's name, and nothing else comes of it.
    private func showName() {
        guard let file = fopen("/proc/thread-self/comm", "w") else { return }
        fputs(name, file)
        fclose(file)
    }
}
