import TensorCore
import Threads

/// Batches of two views in the order of their requests, prepared ahead by threads of its own.
///
/// Without threads a batch is made when it is asked for, on the compute threads. What a batch holds is the same.
public final class ViewLoader {
    /// One batch: the epoch that keys its views, and its images in order.
    public typealias Request = (epoch: Int, samples: [Int])

    private let samples: SampleLoader
    private let requests: () -> Request?
    private let queue: BatchQueue?
    private var threads: [SystemThread] = []
    /// Seconds that `next` had to wait for, or make, its batches.
    public private(set) var secondsWaited = 0.0

    /// `requests` gives batch after batch, nil at the end; at most `prefetch` batches are made ahead. Throws if the
    /// system does not give that many threads.
    public init(
        index: ImageIndex, transform: TwoViewTransform, threads count: Int, prefetch: Int,
        requests: @escaping () -> Request?
    ) throws {
        samples = SampleLoader(index: index, transform: transform)
        self.requests = requests
        queue = count > 0 ? BatchQueue(samples: samples, limit: max(prefetch, 1) + 1, requests: requests) : nil
        guard let queue else { return }
        for number in 0..<count { threads.append(try SystemThread("loader \(number)") { queue.work() }) }
    }

    deinit { stop() }

    /// The next batch, nil after the last. Throws what a thread met.
    public func next() throws -> TwoViewBatch? {
        let clock = ContinuousClock(), start = clock.now
        defer {
            let waited = clock.now - start
            secondsWaited += Double(waited.components.seconds) + Double(waited.components.attoseconds) * 1e-18
        }
        if let queue { return try queue.next() }
        guard let request = requests() else { return nil }
        return try loadNow(request)
    }

    /// Images that could not be read since the last call, each named once.
    public func takeFailures() -> [(description: String, reason: String)] { samples.takeFailures() }

    /// Ends the threads; batches that were prepared are dropped.
    public func stop() {
        queue?.stop()
        for thread in threads { thread.join() }
        threads = []
    }

    private func loadNow(_ request: Request) throws -> TwoViewBatch {
        let batch = TwoViewBatch(count: request.samples.count, imageSize: samples.transform.imageSize)
        let parts = max(ComputeThreads.shared.threads, 1)
        while inlineRenderers.count < parts {
            inlineRenderers.append(ViewRenderer(imageSize: samples.transform.imageSize))
        }
        let renderers = inlineRenderers
        var errors = [(any Error)?](repeating: nil, count: request.samples.count)
        errors.withUnsafeMutableBufferPointer { errors in
            parallelFor(request.samples.count) { part, range in
                for position in range {
                    do {
                        try samples.load(
                            request.samples[position], epoch: request.epoch, into: batch, position: position,
                            renderer: renderers[part])
                    } catch {
                        errors[position] = error
                    }
                }
            }
        }
        if let error = errors.lazy.compactMap({ $0 }).first { throw error }
        return batch
    }

    private var inlineRenderers: [ViewRenderer] = []
}

/// The batches being prepared, oldest first; loader threads take single samples from them.
private final class BatchQueue {
    private final class Pending {
        let batch: TwoViewBatch
        let request: ViewLoader.Request
        var started = 0
        var finished = 0
        var error: (any Error)?

        init(_ request: ViewLoader.Request, imageSize: Int) {
            self.request = request
            batch = TwoViewBatch(count: request.samples.count, imageSize: imageSize)
        }

        var isComplete: Bool { finished == request.samples.count || error != nil }
    }

    private let samples: SampleLoader
    private let limit: Int
    private let requests: () -> ViewLoader.Request?
    // Everything below is only touched under `lock`; a batch's memory is written outside it, each place by one thread.
    private let lock = Monitor()
    private let changed = Monitor.Condition()
    private var pending: [Pending] = []
    private var isAtEnd = false
    private var isStopping = false

    init(samples: SampleLoader, limit: Int, requests: @escaping () -> ViewLoader.Request?) {
        (self.samples, self.limit, self.requests) = (samples, limit, requests)
    }

    func stop() { update { isStopping = true } }

    func next() throws -> TwoViewBatch? {
        try lock.withLock {
            defer { changed.wakeAll() }
            lock.wait(for: changed) { pending.first?.isComplete ?? (isAtEnd || isStopping) }
            guard let first = pending.first else { return nil }
            if let error = first.error { throw error }
            pending.removeFirst()
            return first.batch
        }
    }

    /// A loader thread's body: sample after sample until told to stop.
    func work() {
        let renderer = ViewRenderer(imageSize: samples.transform.imageSize)
        while let (batch, position) = take() {
            let outcome = Result {
                try samples.load(
                    batch.request.samples[position], epoch: batch.request.epoch, into: batch.batch, position: position,
                    renderer: renderer)
            }
            update {
                batch.finished += 1
                if case .failure(let error) = outcome { batch.error = error }
            }
        }
    }

    /// The oldest sample that no thread has taken; waits while there is none.
    private func take() -> (Pending, Int)? {
        lock.withLock {
            while !isStopping {
                if let open = pending.first(where: { $0.started < $0.request.samples.count }) {
                    open.started += 1
                    return (open, open.started - 1)
                }
                if pending.count < limit, !isAtEnd {
                    request()
                } else {
                    lock.wait(for: changed)
                }
            }
            return nil
        }
    }

    /// Asks for one batch more.
    private func request() {
        if let request = requests() {
            pending.append(Pending(request, imageSize: samples.transform.imageSize))
        } else {
            isAtEnd = true
            changed.wakeAll()
        }
    }

    private func update(_ body: () -> Void) {
        lock.withLock {
            body()
            changed.wakeAll()
        }
    }
}
