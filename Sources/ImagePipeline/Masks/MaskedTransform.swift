import TensorCore

/// Where the holes of training come from.
package enum HoleSource: Sendable {
    case rectangles
    case strokes
    /// One of these by chance.
    case files(ImageIndex)
}

/// Which part of a picture becomes a square.
package enum SquareView: String, Sendable, CaseIterable {
    /// A window at the picture's own resolution; of a smaller picture the largest square, enlarged.
    case crop
    /// The largest square, resized.
    case whole

    /// - Parameter place: of the square along its free way, from 0 to 1 on each axis.
    package func region(side: Int, width: Int, height: Int, place: (x: Double, y: Double)) -> PixelRegion {
        let shorter = min(width, height), taken = self == .crop ? min(side, shorter) : shorter
        func start(_ free: Int, _ share: Double) -> Int { min(Int(share * Double(free + 1)), free) }
        return PixelRegion(
            x: start(width - taken, place.x), y: start(height - taken, place.y), width: taken, height: taken)
    }
}

/// Pictures to squares in −1…1 with a hole in each.
///
/// Every draw is keyed by (seed, epoch, sample): squares and holes depend on neither ranks, threads nor order.
package struct MaskedTransform: SampleLoading {
    package let seed: UInt64
    private let side: Int
    private let view: SquareView
    private let flip: Double
    private let holes: HoleSource

    /// - Parameters:
    ///   - side: of the squares in pixels.
    ///   - flip: probability of exchanging left and right.
    package init(side: Int, view: SquareView, flip: Double, holes: HoleSource, seed: UInt64) {
        (self.side, self.view, self.flip, self.holes, self.seed) = (side, view, flip, holes, seed)
    }

    package func makeWorkspace() -> RegionRenderer { RegionRenderer() }

    package func makeBatch(count: Int) -> MaskedBatch { MaskedBatch(count: count, side: side) }

    package func load(
        _ bytes: [UInt8], picture: Int, key: SampleKey, into batch: MaskedBatch, position: Int,
        workspace: RegionRenderer
    ) throws {
        var generator = KeyedGenerator(seed, UInt64(key.epoch), UInt64(key.sample), Self.key)
        let place = (x: generator.uniform(), y: generator.uniform()), flips = generator.chance(flip)
        let size = try ImageDecoder.size(of: bytes)
        let image = try workspace.render(
            bytes, view.region(side: side, width: size.width, height: size.height, place: place), height: side,
            width: side, mirrored: flips, .symmetric)
        let hole = try drawHole(&generator)
        batch.set(position, image: image, hole: hole.mask, window: hole.window)
    }

    private func drawHole(_ generator: inout KeyedGenerator) throws -> (mask: HoleMask, window: PixelWindow) {
        switch holes {
        case .rectangles: return HoleDrawing.rectangle(height: side, width: side, &generator)
        case .strokes: return HoleDrawing.strokes(height: side, width: side, &generator)
        case .files(let index):
            let mask = try index.hole(generator.integer(below: index.count)).resized(height: side, width: side)
            return (mask, mask.window)
        }
    }

    /// Sets holes apart from every other use of the run's seed.
    private static let key: UInt64 = 0x686F_6C65
}

extension ImageIndex {
    /// A picture of the list as a mask. Throws an `IndexError` that names the file.
    package func hole(_ place: Int) throws -> HoleMask {
        do {
            return try HoleMask(try bytes(of: place))
        } catch let error as ImageError {
            throw IndexError("\(description(of: place)) \(error.reason)")
        }
    }
}
