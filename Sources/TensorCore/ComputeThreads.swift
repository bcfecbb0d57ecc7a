import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// The compute threads of this rank: splits a loop over them and returns when all parts are done.
///
/// The caller takes part, so `threads == 1` starts none and costs nothing. Parts are fixed by (count, threads): which
/// thread works on which part never changes a result.
public final class ComputeThreads: @unchecked Sendable {
    /// The pool that kernels use. Set once by the program, before the first kernel runs.
    nonisolated(unsafe) public private(set) static var shared = ComputeThreads(threads: 1)

    public static func start(threads: Int) { shared = ComputeThreads(threads: threads) }

    public let threads: Int
    // @unchecked: `job`, `generation` and `running` are only touched under `lock`.
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let done = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var job: UnsafePointer<(Int) -> Void>?
    private var generation = 0
    private var running = 0

    public init(threads: Int) {
        precondition(threads >= 1, "\(threads) compute threads")
        self.threads = threads
        pthread_mutex_init(lock, nil)
        pthread_cond_init(wake, nil)
        pthread_cond_init(done, nil)
        for index in 1..<max(threads, 1) { startThread(index) }
    }

    private func startThread(_ index: Int) {
        let start = Unmanaged.passRetained(WorkerStart(pool: self, index: index))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                let start = Unmanaged<WorkerStart>.fromOpaque(argument!).takeRetainedValue()
                start.pool.work(start.index)
                return nil
            }, start.toOpaque())
        precondition(code == 0, "cannot start compute thread \(index): error \(code)")
    }

    private final class WorkerStart {
        let pool: ComputeThreads
        let index: Int
        init(pool: ComputeThreads, index: Int) {
            self.pool = pool
            self.index = index
        }
    }

    private func work(_ index: Int) {
        var seen = 0
        while true {
            pthread_mutex_lock(lock)
            while generation == seen { pthread_cond_wait(wake, lock) }
            seen = generation
            let job = self.job!
            pthread_mutex_unlock(lock)
            Self.call(job, index)
            pthread_mutex_lock(lock)
            running -= 1
            if running == 0 { pthread_cond_signal(done) }
            pthread_mutex_unlock(lock)
        }
    }

    /// A function of its own, so that no reference to the closure outlives the call: it lives on the caller's stack.
    @inline(never)
    private static func call(_ job: UnsafePointer<(Int) -> Void>, _ index: Int) { job.pointee(index) }

    /// Runs `body(part, range)` for each of at most `threads` contiguous parts of 0..<count.
    public func forEachPart(of count: Int, _ body: (_ part: Int, _ range: Range<Int>) -> Void) {
        let parts = min(threads, count)
        guard parts > 1 else {
            if count > 0 { body(0, 0..<count) }
            return
        }
        func part(_ index: Int) {
            guard index < parts else { return }
            body(index, count * index / parts..<count * (index + 1) / parts)
        }
        withoutActuallyEscaping(part) { escapable in
            withUnsafePointer(to: escapable) { pointer in
                pthread_mutex_lock(lock)
                job = pointer
                running = threads - 1
                generation += 1
                pthread_cond_broadcast(wake)
                pthread_mutex_unlock(lock)
                part(0)
                pthread_mutex_lock(lock)
                while running > 0 { pthread_cond_wait(done, lock) }
                job = nil
                pthread_mutex_unlock(lock)
            }
        }
    }
}

/// `ComputeThreads.shared.forEachPart`, under the name kernels use.
@inline(__always)
public func parallelFor(_ count: Int, _ body: (_ part: Int, _ range: Range<Int>) -> Void) {
    ComputeThreads.shared.forEachPart(of: count, body)
}
