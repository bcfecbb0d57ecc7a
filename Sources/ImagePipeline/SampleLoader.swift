import Synchronization
import TensorCore

/// The images of a run cannot be loaded.
package struct LoaderError: Error, Sendable, CustomStringConvertible {
    package let description: String
}

/// Loads single samples, replaces those that cannot be read, and remembers their names.
final class SampleLoader<Samples: SampleLoading>: Sendable {
    private let index: ImageIndex
    let samples: Samples
    private let failures = Mutex(LoadFailures())

    /// So many other images are tried in place of one that cannot be read.
    static var attempts: Int { 50 }

    init(index: ImageIndex, samples: Samples) {
        self.index = index
        self.samples = samples
    }

    /// Fills a place of a batch with `sample`, or with another image if that cannot be read: which one depends on
    /// (seed, epoch, sample) alone, so that any number of ranks sees the same pictures.
    func load(
        _ key: SampleKey, into batch: Samples.Batch, position: Int, workspace: Samples.Workspace
    ) throws {
        var generator = KeyedGenerator(samples.seed, UInt64(key.epoch), UInt64(key.sample), Self.key)
        var candidate = key.sample
        for _ in 0..<Self.attempts {
            do {
                return try samples.load(
                    try index.bytes(of: candidate), picture: candidate, key: key, into: batch, position: position,
                    workspace: workspace)
            } catch let error as ImageError {
                remember(candidate, error.reason)
            }
            candidate = generator.integer(below: index.count)
        }
        throw LoaderError(
            description:
                "no readable image: \(Self.attempts) tried in place of \(index.description(of: key.sample)) failed, "
                + "the last because it \(lastReason); look at `pixpro data scan`")
    }

    private var lastReason: String { failures.withLock { $0.new.last?.reason ?? "cannot be read" } }

    private func remember(_ sample: Int, _ reason: String) {
        failures.withLock { failures in
            guard failures.known.insert(sample).inserted else { return }
            failures.new.append((index.description(of: sample), reason))
        }
    }

    /// Images that could not be read since the last call, each named once.
    func takeFailures() -> [(description: String, reason: String)] {
        failures.withLock { failures in
            defer { failures.new = [] }
            return failures.new
        }
    }

    /// Sets replacements apart from every other use of the run's seed.
    private static var key: UInt64 { 0x7265_706C }
}

private struct LoadFailures {
    var known: Set<Int> = []
    var new: [(description: String, reason: String)] = []
}
