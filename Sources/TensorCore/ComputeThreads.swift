import Threads

/// The compute threads of this rank: splits a loop over them and returns when all parts are done.
///
/// The caller takes part, so one thread starts none and costs nothing. Parts are fixed by (count, threads): which thread
/// works on which part never changes a result.
public final class ComputeThreads: @unchecked Sendable {
    /// The pool that kernels use. Set once by the program, before the first kernel runs.
    nonisolated(unsafe) public private(set) static var shared = ComputeThreads()

    /// Throws if the system does not give that many threads.
    public static func start(threads: Int) throws { shared = try ComputeThreads(threads: threads) }

    public let threads: Int
    // @unchecked: `job`, `generation` and `running` are only touched under `lock`.
    private let lock = Monitor()
    private let wake = Monitor.Condition()
    private let done = Monitor.Condition()
    private var job: UnsafePointer<(Int) -> Void>?
    private var generation = 0
    private var running = 0
    private var isStopping = false

    /// The calling thread alone.
    private init() { threads = 1 }

    /// Throws if the system does not give that many threads; those that it gave end.
    public init(threads: Int) throws {
        precondition(threads >= 1, "\(threads) compute threads")
        self.threads = threads
        do {
            for index in 1..<threads { try SystemThread("compute \(index)") { [self] in work(index) }.detach() }
        } catch {
            lock.withLock { isStopping = true }
            wake.wakeAll()
            throw error
        }
    }

    private func work(_ index: Int) {
        var seen = 0
        while let job = next(&seen) {
            Self.call(job, index)
            lock.withLock {
                running -= 1
                if running == 0 { done.wakeOne() }
            }
        }
    }

    /// Waits for the job after the one that was seen; nil when the threads shall end.
    private func next(_ seen: inout Int) -> UnsafePointer<(Int) -> Void>? {
        lock.withLock {
            lock.wait(for: wake) { generation != seen || isStopping }
            seen = generation
            return isStopping ? nil : job!
        }
    }

    /// A function of its own, so that no reference to the closure outlives the call: it lives on the caller's stack.
    @inline(never)
    private static func call(_ job: UnsafePointer<(Int) -> Void>, _ index: Int) { job.pointee(index) }

    /// Runs `body(part, range)` for each of at most `threads` contiguous parts of 0..<count.
    public func forEachPart(of count: Int, _ body: (_ part: Int, _ range: Range<Int>) -> Void) {
        Meanwhile.look()
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
                lock.withLock {
                    job = pointer
                    running = threads - 1
                    generation += 1
                    wake.wakeAll()
                }
                part(0)
                lock.withLock {
                    lock.wait(for: done) { running == 0 }
                    job = nil
                }
            }
        }
    }
}

/// `ComputeThreads.shared.forEachPart`, under the name kernels use.
@inline(__always)
public func parallelFor(_ count: Int, _ body: (_ part: Int, _ range: Range<Int>) -> Void) {
    ComputeThreads.shared.forEachPart(of: count, body)
}
