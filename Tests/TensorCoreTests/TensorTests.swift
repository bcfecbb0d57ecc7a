import Foundation
import Glibc
import TensorCore
import TestSupport
import Testing

@Suite struct TensorTests {
    @Test func viewsShareMemory() {
        let tensor = Tensor.zeros([4, 3])
        tensor.rows(1..<3).fill(2)
        tensor.view(offset: 11, shape: [1]).fill(5)
        #expect(tensor.array == [0, 0, 0, 2, 2, 2, 2, 2, 2, 0, 0, 5])
    }

    @Test func thePoolAsksTheSystemOnceForBuffersOfOneSize() {
        let pool = MemoryPool()
        for _ in 0..<20 { pool.release(pool.allocate(123_457), 123_457) }
        #expect(pool.statistics.systemAllocations == 1 && pool.statistics.bytesInUse == 0)
        // The same class of sizes, another one, and two at once.
        pool.release(pool.allocate(123_500), 123_500)
        #expect(pool.statistics.systemAllocations == 1)
        let buffers = [pool.allocate(1_000_000), pool.allocate(1_000_000)]
        #expect(pool.statistics.systemAllocations == 3 && buffers[0] != buffers[1])
        #expect(pool.statistics.peakBytesInUse == pool.statistics.bytesInUse && pool.statistics.bytesInUse >= 2_000_000)
        for buffer in buffers { pool.release(buffer, 1_000_000) }
        pool.release(pool.allocate(123_457), 123_457)
        #expect(pool.statistics.systemAllocations == 3 && pool.statistics.bytesInUse == 0)
    }

    /// Those that share a block of huge pages, too, and again once they were given back.
    @Test func buffersLieApartAndOnLines() {
        let pool = MemoryPool(), sizes = (0..<40).map { 5_000 + 61_003 * $0 }
        for _ in 0..<2 {
            let buffers = sizes.map { pool.allocate($0) }
            for (index, size) in sizes.enumerated() { memset(buffers[index], Int32(index + 1), size) }
            for (index, size) in sizes.enumerated() {
                let bytes = UnsafeRawBufferPointer(start: buffers[index], count: size)
                #expect(bytes.allSatisfy { $0 == index + 1 } && UInt(bitPattern: buffers[index]) % 64 == 0)
            }
            for (index, size) in sizes.enumerated() { pool.release(buffers[index], size) }
            #expect(pool.statistics.bytesInUse == 0)
        }
    }

    @Test(arguments: [(3, 4, 5), (1, 7, 2), (33, 17, 9)])
    func productsAgreeWithLoops(_ m: Int, _ n: Int, _ k: Int) {
        let a = randomTensor([2, m, k], key: 1), b = randomTensor([2, k, n], key: 2)
        var expected = [Float](repeating: 0, count: 2 * m * n)
        for batch in 0..<2 {
            for i in 0..<m {
                for j in 0..<n {
                    for l in 0..<k {
                        expected[(batch * m + i) * n + j] +=
                            a.floats[(batch * m + i) * k + l] * b.floats[(batch * k + l) * n + j]
                    }
                }
            }
        }
        let at = a.permutedInner(outer: 2, rows: m, columns: k), bt = b.permutedInner(outer: 2, rows: k, columns: n)
        for (left, transposeA) in [(a, false), (at, true)] {
            for (right, transposeB) in [(b, false), (bt, true)] {
                let c = Tensor([2, m, n])
                c.product(left, right, transposeA: transposeA, transposeB: transposeB)
                #expect(relativeError(c.array, expected) < 1e-6)
            }
        }
    }

    @Test func columnMomentsAreDouble() {
        let x = Tensor([3, 2], [1e4, 1, 1e4 + 1, 2, 1e4 - 1, 3])
        let moments = x.columnMoments()
        #expect(Array(moments.values) == [30000, 6, 1e8 + 1.00020001e8 + 0.99980001e8, 14])
        let sums = Tensor([2], [1, 1])
        x.columnSums(into: sums, beta: 1)
        #expect(sums.array == [30001, 7])
    }

    @Test func finiteness() {
        let x = randomTensor([101], key: 1)
        #expect(x.isFinite)
        for (index, value) in [(3, Float.nan), (100, .infinity)] {
            let broken = x.copy()
            broken.floats[index] = value
            #expect(!broken.isFinite)
        }
    }

    @Test func maximumPoolingTakesTheFirstOfEqualValues() {
        let x = Tensor([1, 2, 2, 1], [3, 3, 1, 3])
        let (y, winners) = x.maxPooled(kernel: 2, stride: 2, padding: 0)
        #expect(y.array == [3])
        let dx = Tensor([1, 1, 1, 1], [5]).maxPooledGradient(
            winners: winners, inputShape: [1, 2, 2, 1], kernel: 2, stride: 2, padding: 0)
        #expect(dx.array == [5, 0, 0, 0])
    }
}

@Suite struct KeyedGeneratorTests {
    /// Shares of a normal distribution beyond so many deviations, the tail behind the lowest layer (3.44) among them.
    @Test func normalsHaveTheShapeOfTheBell() {
        var generator = KeyedGenerator(31)
        let count = 2_000_000
        let draws = (0..<count).map { _ in generator.normal() }
        for edge in [0.1, 0.27, 0.5, 1, 1.7, 2.4, 3, 3.4, 3.6, 4] {
            let expected = erfc(edge / 2.squareRoot()) / 2 * Double(count)
            for share in [draws.count { $0 > edge }, draws.count { $0 < -edge }] {
                #expect(abs(Double(share) - expected) < 5 * expected.squareRoot(), "\(edge): \(share) of \(expected)")
            }
        }
    }

    @Test func streamsDependOnEveryKeyWordAndTheirOrder() {
        func first(_ key: [UInt64]) -> UInt64 {
            var generator = KeyedGenerator(key: key)
            return generator.next()
        }
        let keys: [[UInt64]] = [[], [0], [1], [0, 0], [0, 1], [1, 0], [1, 1], [0, 0, 0], [2, 3, 4], [4, 3, 2]]
        #expect(Set(keys.map(first)).count == keys.count)
        #expect(first([1, 2, 3]) == first([1, 2, 3]))
    }

    @Test func momentsOfItsDistributions() {
        var generator = KeyedGenerator(7)
        let count = 200_000
        let normals = (0..<count).map { _ in generator.normal() }
        let mean = normals.reduce(0, +) / Double(count)
        let variance = normals.reduce(0) { $0 + $1 * $1 } / Double(count)
        #expect(abs(mean) < 0.01 && abs(variance - 1) < 0.02)
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<70_000 { counts[generator.integer(below: 7)] += 1 }
        #expect(counts.allSatisfy { abs($0 - 10_000) < 500 })
    }
}

@Suite struct ComputeThreadsTests {
    @Test(arguments: [1, 2, 3, 5]) func everyIndexIsVisitedOnce(_ threads: Int) throws {
        let pool = try ComputeThreads(threads: threads)
        for count in [0, 1, 2, 7, 1000] {
            let visits = Tensor.zeros([max(count, 1)])
            let parts = Tensor.zeros([threads])
            pool.forEachPart(of: count) { part, range in
                parts.floats[part] += 1
                for i in range { visits.floats[i] += 1 }
            }
            #expect(visits.array.allSatisfy { $0 == (count == 0 ? 0 : 1) })
            #expect(parts.array == (0..<threads).map { $0 < count ? 1 : 0 }, "\(count) in \(threads) parts")
        }
    }
}

@Suite struct CholeskyTests {
    @Test func whitenedRowsHaveTheIdentityAsCovariance() throws {
        let (rows, n) = (200, 9)
        let data = randomTensor([rows, n], key: 4)
        for i in 0..<rows { for c in 1..<n { data.floats[i * n + c] += 0.7 * data.floats[i * n + c - 1] } }
        func covariance(_ matrix: Tensor) -> [Double] {
            var sums = [Double](repeating: 0, count: n * n)
            for i in 0..<rows {
                for a in 0..<n {
                    for b in 0..<n { sums[a * n + b] += Double(matrix.floats[i * n + a] * matrix.floats[i * n + b]) }
                }
            }
            return sums.map { $0 / Double(rows) }
        }
        let factor = try #require(CholeskyFactor(covariance(data)))
        let whitened = data.copy()
        factor.whiten(whitened)
        for (i, value) in covariance(whitened).enumerated() { #expect(abs(value - (i % (n + 1) == 0 ? 1 : 0)) < 1e-3) }

        let weights = randomTensor([2, n], key: 5), unwhitened = weights.copy()
        factor.unwhiten(unwhitened)
        let wanted = Tensor([rows, 2]), found = Tensor([rows, 2])
        wanted.product(whitened, weights, transposeB: true)
        found.product(data, unwhitened, transposeB: true)
        #expect(relativeError(found.array, wanted.array) < 1e-3)
    }

    @Test func whatIsNotPositiveHasNoFactor() {
        #expect(CholeskyFactor([1, 2, 2, 1]) == nil)
        #expect(CholeskyFactor([.nan]) == nil)
    }
}
