import Glibc
import TensorCore

/// The outline of an object.
private enum SyntheticShape: CaseIterable {
    case disc, square, triangle, star, ring

    /// Whether a point lies inside; the shape reaches to about 1 from its centre.
    func contains(_ x: Double, _ y: Double) -> Bool {
        let radius = (x * x + y * y).squareRoot()
        switch self {
        case .disc: return radius < 0.9
        case .square: return max(abs(x), abs(y)) < 0.8
        case .triangle: return y > -0.7 && y < 1 - 1.7 * abs(x)
        case .star: return radius < 0.7 + 0.26 * cos(5 * atan2(y, x))
        case .ring: return radius > 0.3 && radius < 0.95
        }
    }
}

/// A picture being drawn.
struct SyntheticScene {
    let size: Int
    private var color: [SIMD3<Double>]
    private(set) var labels: [UInt8]
    /// Which object each pixel shows, from 1; 0 for the background.
    private var owners: [Int]
    private var drawn: [UInt8] = []

    /// A background: a gradient between two colours, waves, and clutter of thin lines.
    init(size: Int, _ generator: inout KeyedGenerator) {
        self.size = size
        labels = [UInt8](repeating: 0, count: size * size)
        owners = [Int](repeating: 0, count: size * size)
        let a = Self.color(&generator), b = Self.color(&generator)
        let angle = generator.uniform(0, 2 * .pi), frequency = generator.uniform(4, 30)
        let phase = generator.uniform(0, 6), depth = generator.uniform(0, 0.35)
        color = (0..<size * size).map { i in
            let x = Double(i % size) / Double(size) - 0.5, y = Double(i / size) / Double(size) - 0.5
            let along = x * cos(angle) + y * sin(angle), across = y * cos(angle) - x * sin(angle)
            let share = 0.5 + along + depth * sin(frequency * across + phase) * sin(0.7 * frequency * along)
            return a + (b - a) * min(max(share, 0), 1)
        }
        for _ in 0..<2 + generator.integer(below: 4) { drawLine(&generator) }
    }

    static func color(_ generator: inout KeyedGenerator) -> SIMD3<Double> {
        SIMD3(generator.uniform(), generator.uniform(), generator.uniform())
    }

    private mutating func drawLine(_ generator: inout KeyedGenerator) {
        let ink = Self.color(&generator)
        var x = generator.uniform(0, Double(size)), y = generator.uniform(0, Double(size))
        let angle = generator.uniform(0, 2 * .pi), bend = generator.uniform(-0.03, 0.03)
        let width = 1 + generator.integer(below: max(size / 50, 1) + 1)
        for step in 0..<Int(generator.uniform(0.2, 0.8) * Double(size)) {
            x += cos(angle + bend * Double(step))
            y += sin(angle + bend * Double(step))
            for dy in 0..<width {
                for dx in 0..<width {
                    let column = Int(x) + dx, row = Int(y) + dy
                    guard column >= 0, column < size, row >= 0, row < size else { continue }
                    color[row * size + column] = ink
                }
            }
        }
    }

    /// An object somewhere, of some shape, at some size (in shares of the side) and angle, lit from one side.
    mutating func draw(
        _ texture: SyntheticTexture, label: UInt8, scale: ClosedRange<Double>, _ generator: inout KeyedGenerator
    ) {
        let shape = SyntheticShape.allCases[generator.integer(below: SyntheticShape.allCases.count)]
        let radius = generator.uniform(scale.lowerBound, scale.upperBound) * Double(size)
        let centreX = Self.place(in: Double(size), radius, &generator)
        let centreY = Self.place(in: Double(size), radius, &generator)
        let angle = generator.uniform(0, 2 * .pi), squeeze = generator.uniform(0.75, 1)
        let fill = SyntheticFill(texture, &generator)
        let light = generator.uniform(0.2, 0.6), lightAngle = generator.uniform(0, 2 * .pi)
        drawn.append(label)
        let reach = Int(radius * 1.1)
        for row in max(Int(centreY) - reach, 0)...min(Int(centreY) + reach, size - 1) {
            for column in max(Int(centreX) - reach, 0)...min(Int(centreX) + reach, size - 1) {
                let dx = (Double(column) - centreX) / radius, dy = (Double(row) - centreY) / radius
                let x = (dx * cos(angle) + dy * sin(angle)) / squeeze, y = dy * cos(angle) - dx * sin(angle)
                guard shape.contains(x, y) else { continue }
                let shade = 1 - light * (0.5 + 0.5 * (dx * cos(lightAngle) + dy * sin(lightAngle)))
                color[row * size + column] = fill.color(Double(column), Double(row)) * shade
                labels[row * size + column] = label
                owners[row * size + column] = drawn.count
            }
        }
    }

    /// A coordinate of an object's centre, of which most stays in the picture.
    private static func place(in size: Double, _ radius: Double, _ generator: inout KeyedGenerator) -> Double {
        generator.uniform(min(radius * 0.7, size / 2), max(size - radius * 0.7, size / 2))
    }

    /// The label of each object, the smallest rectangle that holds what is seen of it, and how many pixels that are; without
    /// those of which hardly anything is seen.
    var objects: [(label: UInt8, region: PixelRegion, pixels: Int)] {
        drawn.enumerated().compactMap { number, label in
            let seen = owners.indices.filter { owners[$0] == number + 1 }
            guard seen.count >= 16 else { return nil }
            let columns = seen.map { $0 % size }, (left, right) = (columns.min()!, columns.max()!)
            let (top, bottom) = (seen.first! / size, seen.last! / size)
            let region = PixelRegion(x: left, y: top, width: right - left + 1, height: bottom - top + 1)
            return (label, region, seen.count)
        }
    }

    /// The picture with sensor noise, compressed.
    func jpeg(_ generator: inout KeyedGenerator) throws -> [UInt8] {
        let noise = generator.uniform(0.01, 0.06), gain = generator.uniform(0.7, 1.1)
        var pixels: [UInt8] = []
        pixels.reserveCapacity(size * size * 3)
        for value in color {
            for channel in 0..<3 {
                let level = value[channel] * gain + noise * (generator.uniform() + generator.uniform() - 1) * 2
                pixels.append(UInt8(min(max(level, 0), 1) * 255))
            }
        }
        return try encodeJPEG(rgb: pixels, width: size, height: size, quality: 88)
    }
}

/// A texture in two colours, at some angle and size.
private struct SyntheticFill {
    private let texture: SyntheticTexture
    private let first, second: SIMD3<Double>
    private let angle, period, offset: Double
    private let blotches: SyntheticBlotches

    /// Pixels after which the pattern repeats, whatever the picture's size: networks see pixels.
    private static let periods = (least: 18.0, most: 30.0)

    init(_ texture: SyntheticTexture, _ generator: inout KeyedGenerator) {
        self.texture = texture
        first = SyntheticScene.color(&generator)
        var other = SyntheticScene.color(&generator)
        // The two colours of a texture must be told apart.
        if abs((first - other).sum()) < 0.5 { other = SIMD3(repeating: 1) - first }
        second = other
        angle = generator.uniform(0, 2 * .pi)
        period = generator.uniform(Self.periods.least, Self.periods.most)
        offset = generator.uniform(0, 50)
        blotches = SyntheticBlotches(&generator)
    }

    func color(_ x: Double, _ y: Double) -> SIMD3<Double> {
        let u = (x * cos(angle) + y * sin(angle)) / period + offset
        let v = (y * cos(angle) - x * sin(angle)) / period + offset
        return texture.covers(u, v, blotches) ? second : first
    }
}
