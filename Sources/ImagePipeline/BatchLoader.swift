import TensorCore
import Threads

/// One batch that is wanted: the epoch that keys its samples, and its pictures in order.
package typealias BatchRequest = (epoch: Int, samples: [Int])

/// Batches in the order of their requests, prepared ahead by threads of its own.
///
/// Without threads a batch is made when it is asked for, on the compute threads. What a batch holds is the same.
package final class BatchLoader<Samples: SampleLoading> {
    private let samples: SampleLoader<Samples>
    private let requests: () -> BatchRequest?
    private let queue: BatchQueue<Samples>?
    private var threads: [SystemThread] = []
    /// Seconds that `next` had to wait for, or make, its batches.
    package private(set) var secondsWaited = 0.0

    /// `requests` gives batch after batch, nil at the end; at most `prefetch` batches are made ahead. Throws if the
    /// system does not give that many threads.
    package init(
        index: ImageIndex, samples loading: Samples, threads count: Int, prefetch: Int,
        requests: @escaping () -> BatchRequest?
    ) throws {
        samples = SampleLoader(index: index, samples: loading)
        self.requests = requests
        queue = count > 0 ? BatchQueue(samples: samples, limit: max(prefetch, 1) + 1, requests: requests) : nil
        guard let queue else { return }
        for number in 0..<count { threads.append(try SystemThread("loader \(number)") { queue.work() }) }
    }

    deinit { stop() }

    /// The next batch, nil after the last. Throws what a thread met.
    package func next() throws -> Samples.Batch? {
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
    package func takeFailures() -> [(description: String, reason: String)] { samples.takeFailures() }

    /// Ends the threads; batches that were prepared are dropped.
    package func stop() {
        queue?.stop()
        for thread in threads { thread.join() }
        threads = []
    }

    private func loadNow(_ request: BatchRequest) throws -> Samples.Batch {
        let batch = samples.samples.makeBatch(count: request.samples.count)
        let parts = max(ComputeThreads.shared.threads, 1)
        while inlineWorkspaces.count < parts { inlineWorkspaces.append(samples.samples.makeWorkspace()) }
        let workspaces = inlineWorkspaces
        var errors = [(any Error)?](repeating: nil, count: request.samples.count)
        errors.withUnsafeMutableBufferPointer { errors in
            parallelFor(request.samples.count) { part, range in
                for position in range {
                    do {
                        try samples.load(
                            SampleKey(epoch: request.epoch, sample: request.samples[position]), into: batch,
                            position: position, workspace: workspaces[part])
                    } catch {
                        errors[position] = error
                    }
                }
            }
        }
        if let error = errors.lazy.compactMap({ $0 }).first { throw error }
        return batch
    }

    private var inlineWorkspaces: [Samples.Workspace] = []
}

/// The batches being prepared, oldest first; loader threads take single samples from them.
private final class BatchQueue<Samples: SampleLoading> {
    private final class Pending {
        let batch: Samples.Batch
        let request: BatchRequest
        var started = 0
        var finished = 0
        var error: (any Error)?

        init(_ request: BatchRequest, _ batch: Samples.Batch) {
            (self.request, self.batch) = (request, batch)
        }

        var isComplete: Bool { finished == request.samples.count || error != nil }
    }

    private let samples: SampleLoader<Samples>
    private let limit: Int
    private let requests: () -> BatchRequest?
    // Everything below is only touched under `lock`; a batch's memory is written outside it, each place by one thread.
    private let lock = Monitor()
    private let changed = Monitor.Condition()
    private var pending: [Pending] = []
    private var isAtEnd = false
    private var isStopping = false

    init(samples: SampleLoader<Samples>, limit: Int, requests: @escaping () -> BatchRequest?) {
        (self.samples, self.limit, self.requests) = (samples, limit, requests)
    }

    func stop() { update { isStopping = true } }

    func next() throws -> Samples.Batch? {
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
        let workspace = samples.samples.makeWorkspace()
        while let (batch, position) = take() {
            let outcome = Result {
                try samples.load(
                    SampleKey(epoch: batch.request.epoch, sample: batch.request.samples[position]), into: batch.batch,
                    position: position, workspace: workspace)
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
            pending.append(Pending(request, samples.samples.makeBatch(count: request.samples.count)))
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
