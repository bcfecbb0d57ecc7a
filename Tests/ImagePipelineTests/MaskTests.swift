import ImagePipeline
import TensorCore
import TestSupport
import Testing

@Suite struct MaskTests {
    @Test(arguments: [(64, 64), (256, 256), (72, 128)])
    func `a rectangle is half the sides less a sixteenth at each end`(height: Int, width: Int) {
        var sizes: Set<Int> = []
        for draw in 0..<200 {
            var generator = KeyedGenerator(1, UInt64(draw))
            let (mask, window) = HoleDrawing.rectangle(height: height, width: width, &generator)
            #expect(window.height == height / 2 && window.width == width / 2)
            #expect(window.top >= 0 && window.top + window.height <= height)
            #expect(window.left >= 0 && window.left + window.width <= width)
            let inside = mask.cropped(window)
            #expect(inside.area == mask.area)
            let rows = (0..<inside.height).count { y in (0..<inside.width).contains { inside[y, $0] } }
            let columns = (0..<inside.width).count { x in (0..<inside.height).contains { inside[$0, x] } }
            #expect(rows * columns == mask.area)
            #expect((height / 2 - height / 16 * 2...height / 2).contains(rows) && (height / 2 - rows).isMultiple(of: 2))
            sizes.insert(mask.area)
        }
        #expect(sizes.count > 5)
    }

    @Test func `strokes leave most of a picture, and take some of it`() {
        var areas: [Int] = []
        for draw in 0..<200 {
            var generator = KeyedGenerator(2, UInt64(draw))
            let (mask, window) = HoleDrawing.strokes(height: 128, width: 128, &generator)
            areas.append(mask.area)
            #expect(mask.area > 0 && mask.area < 128 * 128 * 3 / 4)
            #expect(window == mask.window)
        }
        #expect(Set(areas).count > 150)
    }

    @Test func `the same key draws the same hole`() {
        func draw() -> HoleMask {
            var generator = KeyedGenerator(3, 4)
            return HoleDrawing.strokes(height: 96, width: 80, &generator).mask
        }
        #expect(draw() == draw())
    }

    @Test func `a window lies around the hole and inside the picture`() {
        var mask = HoleMask(height: 32, width: 48)
        #expect(mask.window == PixelWindow(top: 8, left: 12, height: 16, width: 24))
        for y in 0..<3 { for x in 40..<47 { mask[y, x] = true } }
        #expect(mask.window == PixelWindow(top: 0, left: 24, height: 16, width: 24))
        mask = HoleMask(height: 32, width: 48)
        mask[17, 20] = true
        #expect(mask.window == PixelWindow(top: 9, left: 8, height: 16, width: 24))
    }

    @Test(arguments: 0..<20)
    func `the nearest known pixel is found`(seed: Int) {
        var generator = KeyedGenerator(5, UInt64(seed))
        let height = 1 + generator.integer(below: 20), width = 1 + generator.integer(below: 20)
        let share = generator.uniform(0.5, 1)
        let mask = HoleMask(
            height: height, width: width, holes: (0..<height * width).map { _ in generator.chance(share) })
        let nearest = NearestKnown(mask)
        let known = mask.holes.indices.filter { !mask.holes[$0] }
        func distance(_ a: Int, _ b: Int) -> Double {
            let dy = Double(a / width - b / width), dx = Double(a % width - b % width)
            return (dy * dy + dx * dx).squareRoot()
        }
        for pixel in mask.holes.indices {
            #expect(nearest.distances[pixel] == known.map { distance(pixel, $0) }.min() ?? .infinity)
            #expect((nearest.places[pixel] == nil) == known.isEmpty)
            if let place = nearest.places[pixel] {
                #expect(!mask.holes[place] && distance(pixel, place) == nearest.distances[pixel])
            }
        }
    }

    @Test func `masks are black and white`() throws {
        func gray(_ pixels: [UInt8]) throws -> HoleMask {
            try HoleMask(try encodePNG(gray: pixels, width: 4, height: pixels.count / 4))
        }
        let mask = try gray([0, 0, 255, 255, 0, 128, 127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        #expect(mask.holes.indices.filter { mask.holes[$0] } == [2, 3, 5])
        #expect(throws: ImageError.self) { try gray([UInt8](repeating: 0, count: 8)) }
        #expect(throws: ImageError.self) { try gray([UInt8](repeating: 255, count: 8)) }
        #expect(throws: ImageError.self) { try gray([0, 100, 120, 200, 60, 90, 255, 0]) }
        #expect(throws: ImageError.self) { try HoleMask(Array("no picture".utf8)) }
        let transparent = PlainPNG(1, 1, .rgbAlpha, [255, 255, 255, 0]).bytes
        #expect(throws: ImageError.self) { try HoleMask(transparent) }
    }

    @Test func `a place of a batch depends on the key alone`() throws {
        let bytes = try encodePNG(
            rgb: (0..<80 * 100 * 3).map { UInt8(truncatingIfNeeded: $0 &* 7 / 3) }, width: 100, height: 80)
        let transform = MaskedTransform(side: 64, view: .crop, flip: 0.5, holes: .rectangles, seed: 9)
        let batch = transform.makeBatch(count: 3), renderer = transform.makeWorkspace()
        for (position, sample) in [(0, 5), (1, 6), (2, 5)] {
            try transform.load(
                bytes, picture: 0, key: SampleKey(epoch: 2, sample: sample), into: batch, position: position,
                workspace: renderer)
        }
        #expect(batch.images.rows(0..<1).array == batch.images.rows(2..<3).array)
        #expect(batch.masks.rows(0..<1).array == batch.masks.rows(2..<3).array)
        #expect(batch.windows[0] == batch.windows[2])
        #expect(batch.images.rows(0..<1).array != batch.images.rows(1..<2).array)
        #expect(batch.images.array.allSatisfy { abs($0) < 1.00001 })
        #expect(Set(batch.masks.array) == [0, 1])
    }

    @Test func `a square is a window or the whole`() {
        #expect(
            SquareView.crop.region(side: 64, width: 100, height: 80, place: (0.5, 0.999))
                == PixelRegion(x: 18, y: 16, width: 64, height: 64))
        #expect(
            SquareView.crop.region(side: 256, width: 100, height: 80, place: (0, 0.5))
                == PixelRegion(x: 0, y: 0, width: 80, height: 80))
        #expect(
            SquareView.whole.region(side: 64, width: 100, height: 80, place: (0.5, 0.5))
                == PixelRegion(x: 10, y: 0, width: 80, height: 80))
    }
}
