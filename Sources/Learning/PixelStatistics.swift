package import ImagePipeline
package import MessagePassing
import TensorCore

/// Mean and deviation of each channel over a sample of pictures, each of which counts the same.
package struct PixelStatistics: Sendable, Equatable {
    package let normalization: PixelNormalization
    /// That were looked at.
    package let pictures: Int

    /// At most so many pictures are looked at, evenly spread over all.
    static let sampleSize = 1000
    /// What each is resized to, in pixels.
    private static let side = 224
    /// Pictures between two signs of progress.
    private static let group = 64

    /// Each rank looks at a part. Pixels are bytes, whose sums are exact: the result depends on neither ranks, threads nor
    /// order. Collective; throws the same error on all ranks.
    ///
    /// - Parameter advance: see `PictureRoots`.
    package init(of index: ImageIndex, _ communicator: any Collective, advance: () throws -> Void = {}) throws {
        let sample = index.spread(limit: Self.sampleSize)
        let own = stride(from: communicator.rank, to: sample.count, by: communicator.size).map { sample[$0] }
        let sums = try communicator.agree(on: "measuring the pixels of pictures") {
            var sums = PixelSums()
            for start in stride(from: 0, to: own.count, by: Self.group) {
                try advance()
                sums.add(Self.sums(of: own[start..<min(start + Self.group, own.count)], in: index))
            }
            return sums
        }
        let all = PixelSums(numbers: try communicator.sum(sums.numbers))
        pictures = Int(all.pictures)
        guard pictures > 0 else {
            throw PixelStatisticsError(
                "none of \(sample.count) pictures can be read, so that data.mean and data.deviation cannot be measured; "
                    + "look at `pixpro data scan`")
        }
        normalization = try all.normalization(pixels: Double(pictures * Self.side * Self.side))
    }

    /// A part for each compute thread.
    private static func sums(of pictures: ArraySlice<Int>, in index: ImageIndex) -> PixelSums {
        var parts = [PixelSums](repeating: PixelSums(), count: max(ComputeThreads.shared.threads, 1))
        let first = pictures.startIndex
        parts.withUnsafeMutableBufferPointer { parts in
            parallelFor(pictures.count) { part, range in
                let renderer = RegionRenderer()
                for place in range {
                    do {
                        parts[part].add(try Self.pixels(of: pictures[first + place], in: index, renderer))
                    } catch {
                        // One that cannot be read is skipped in training too, and named there.
                        continue
                    }
                }
            }
        }
        return parts.reduce(into: PixelSums()) { $0.add($1) }
    }

    /// The whole picture at one size, [side, side, 3] in 0…1.
    private static func pixels(of picture: Int, in index: ImageIndex, _ renderer: RegionRenderer) throws -> Tensor {
        let bytes = try index.bytes(of: picture), size = try ImageDecoder.size(of: bytes)
        let whole = PixelRegion(x: 0, y: 0, width: size.width, height: size.height)
        return try renderer.render(bytes, whole, height: side, width: side, .none)
    }
}

/// Sums of bytes and of their squares by channel.
private struct PixelSums: Sendable {
    private(set) var pictures: Int64 = 0
    private var sums = SIMD3<Int64>()
    private var squares = SIMD3<Int64>()

    init() {}

    /// What `numbers` gave, or sums of that.
    init(numbers: [Int64]) {
        pictures = numbers[0]
        (sums, squares) = (SIMD3(numbers[1...3]), SIMD3(numbers[4...6]))
    }

    var numbers: [Int64] { [pictures] + (0..<3).map { sums[$0] } + (0..<3).map { squares[$0] } }

    /// A picture of pixels in 0…1.
    mutating func add(_ picture: Tensor) {
        pictures += 1
        let values = picture.floats
        for pixel in 0..<picture.count / 3 {
            for channel in 0..<3 {
                let level = Int64((255 * min(max(values[3 * pixel + channel], 0), 1)).rounded())
                sums[channel] += level
                squares[channel] += level * level
            }
        }
    }

    mutating func add(_ other: PixelSums) {
        pictures += other.pictures
        sums &+= other.sums
        squares &+= other.squares
    }

    /// To four digits, as they are told: what is told is what is used.
    func normalization(pixels: Double) throws -> PixelNormalization {
        func rounded(_ values: SIMD3<Double>) -> SIMD3<Float> {
            SIMD3<Float>((10_000 * values / 255).rounded(.toNearestOrEven) / 10_000)
        }
        let mean = SIMD3<Double>(sums) / pixels, variance = SIMD3<Double>(squares) / pixels - mean * mean
        // Of less than a level of 255.
        guard variance.min() >= 1 else {
            throw PixelStatisticsError(
                "the pictures are of one colour or nearly so: set data.deviation to three numbers, since dividing by what "
                    + "was measured would make noise of them")
        }
        return PixelNormalization(mean: rounded(mean), deviation: rounded(variance.squareRoot()))
    }
}

/// The scale of pixels cannot be had; thrown alike on every rank.
package struct PixelStatisticsError: SharedError, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}
