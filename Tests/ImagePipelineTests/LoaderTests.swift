import Foundation
import ImagePipeline
import Synchronization
import SystemPackage
import TensorCore
import TestSupport
import Testing

@Suite struct LoaderTests {
    private func batches(
        _ index: ImageIndex, threads: Int, prefetch: Int = 2,
        _ requests: [[Int]] = [[0, 3, 5], [1, 2, 4], [7, 8, 9]]
    ) throws -> (batches: [[Float]], failures: [String]) {
        let transform = TwoViewTransform(imageSize: 32, minimumCrop: 0.2, seed: 3)
        var remaining = requests[...]
        let loader = try BatchLoader(index: index, samples: transform, threads: threads, prefetch: prefetch) {
            remaining.popFirst().map { (epoch: 4, samples: $0) }
        }
        defer { loader.stop() }
        var result: [[Float]] = []
        while let batch = try loader.next() { result.append(batch.view1.array + batch.view2.array + batch.box1.array) }
        return (result, loader.takeFailures().map(\.description))
    }

    @Test func threadsChangeNothing() throws {
        try withPictures { folder in
            let index = try ImageIndex(roots: [FilePath(folder)])
            let reference = try batches(index, threads: 0)
            #expect(reference.batches.count == 3 && reference.failures.isEmpty)
            for (threads, prefetch) in [(1, 1), (2, 2), (3, 5)] {
                #expect(try batches(index, threads: threads, prefetch: prefetch).batches == reference.batches)
            }
        }
    }

    @Test func aBrokenImageIsReplacedAlikeAndNamedOnce() throws {
        try withPictures { folder in
            try Data("nothing".utf8).write(to: URL(fileURLWithPath: folder + "/class0/100.jpg"))
            let index = try ImageIndex(roots: [FilePath(folder)])
            let requests = [[0, 1], [0, 2], [0, 0]]
            let (reference, failures) = try batches(index, threads: 0, requests)
            #expect(failures.count == 1 && failures[0].hasSuffix("class0/100.jpg"))
            let threaded = try batches(index, threads: 2, requests)
            #expect(threaded.batches == reference && threaded.failures == failures)
        }
    }

    @Test func withoutAnyReadableImageItGivesUp() throws {
        try withTemporaryDirectory { folder in
            for i in 0..<5 { try Data("x".utf8).write(to: URL(fileURLWithPath: folder + "/\(i).jpg")) }
            let index = try ImageIndex(roots: [FilePath(folder)])
            for threads in [0, 2] {
                let error = #expect(throws: LoaderError.self) { try batches(index, threads: threads, [[0]]) }
                #expect(error?.description.contains("no readable image") == true)
            }
        }
    }

    @Test func aLoaderThatIsDroppedEndsItsThreads() throws {
        try withPictures { folder in
            final class Held {}
            let index = try ImageIndex(roots: [FilePath(folder)])
            for _ in 0..<20 {
                weak var held: Held?
                do {
                    let requested = Held()
                    held = requested
                    let loader = try BatchLoader(
                        index: index, samples: TwoViewTransform(imageSize: 32, minimumCrop: 0.2, seed: 3), threads: 2,
                        prefetch: 3
                    ) {
                        withExtendedLifetime(requested) { (epoch: 0, samples: [0, 1, 2]) }
                    }
                    #expect(try loader.next() != nil)
                    #expect(held != nil)
                }
                // What the threads would ask for their next batch is gone with the last of them.
                #expect(held == nil)
            }
        }
    }
}

@Suite struct SampleOrderTests {
    @Test(arguments: [1, 2, 10, 997]) func everyImageOncePerEpoch(_ count: Int) {
        let order = SampleOrder(seed: 5, count: count)
        for epoch in 0..<3 { #expect(order.permutation(epoch: epoch).sorted() == Array(0..<count)) }
    }

    @Test func ordersDifferByEpochAndSeedOnly() {
        let order = SampleOrder(seed: 5, count: 100)
        let first = order.permutation(epoch: 0)
        #expect(order.permutation(epoch: 1) != first)
        #expect(order.permutation(epoch: 0) == first)
        #expect(SampleOrder(seed: 5, count: 100).permutation(epoch: 0) == first)
        #expect(SampleOrder(seed: 6, count: 100).permutation(epoch: 0) != first)
    }

    /// Loader threads ask for the order of the epochs to come while the main thread asks for that of its own.
    @Test func severalThreadsMayAskAtOnce() {
        let order = SampleOrder(seed: 5, count: 9)
        let expected = (0..<4).map { SampleOrder(seed: 5, count: 9).permutation(epoch: $0) }
        let wrong = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: 4) { part in
            for i in 0..<300_000 where order.permutation(epoch: (i + part) % 4) != expected[(i + part) % 4] {
                wrong.add(1, ordering: .relaxed)
            }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
    }
}
