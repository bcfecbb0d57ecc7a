import Files
import Glibc
package import SystemPackage
import TensorCore

/// Drawn pictures to try everything with: classes of shape and texture, and pictures with a label for every pixel.
///
/// A class is a shape filled with a texture. Colours, light, size, place, angle, background, clutter and noise are
/// random, so that no colour or mean tells a class: features matter.
package enum SyntheticImages {
    /// Writes `images/{train,val}/<class>/NNNN.jpg`, `segmentation/{train,val}/{images,labels}/NNNN.{jpg,png}` (label 0
    /// is background, class k is k + 1) with `segmentation/{train,val}/boxes.json` beside (COCO's, category k + 1), and
    /// `classes.txt`. The same seed draws the same files.
    package static func write(
        to folder: FilePath, classes: Int, trainPerClass: Int, validationPerClass: Int, segmentationTrain: Int,
        segmentationValidation: Int, imageSize: Int, seed: UInt64,
        progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws {
        guard (2...SyntheticClass.all.count).contains(classes), imageSize >= 16 else {
            throw IndexError(
                "\(classes) classes of \(imageSize) px: 2 to \(SyntheticClass.all.count) classes, at least 16 px")
        }
        let names = SyntheticClass.all.prefix(classes).map(\.name)
        let total = classes * (trainPerClass + validationPerClass) + segmentationTrain + segmentationValidation
        var done = 0
        for (split, part, count) in [(UInt64(0), "train", trainPerClass), (1, "val", validationPerClass)] {
            for (number, name) in names.enumerated() {
                let place = try makeFolder(folder, "images/\(part)/\(name)")
                for picture in 0..<count {
                    var generator = KeyedGenerator(seed, split, UInt64(number), UInt64(picture))
                    var scene = SyntheticScene(size: imageSize, &generator)
                    scene.draw(SyntheticClass.all[number], label: UInt8(number + 1), scale: 0.2...0.36, &generator)
                    try write(try scene.jpeg(&generator), to: place.appending("\(fourDigits(picture)).jpg"))
                    done += 1
                    progress(done, total)
                }
            }
        }
        for (split, part, count) in [(UInt64(2), "train", segmentationTrain), (3, "val", segmentationValidation)] {
            let images = try makeFolder(folder, "segmentation/\(part)/images")
            let labels = try makeFolder(folder, "segmentation/\(part)/labels")
            var boxes = SyntheticAnnotations(size: imageSize, classNames: names)
            for picture in 0..<count {
                var generator = KeyedGenerator(seed, split, UInt64(picture))
                var scene = SyntheticScene(size: imageSize, &generator)
                for _ in 0..<2 + generator.integer(below: 3) {
                    let number = generator.integer(below: classes)
                    scene.draw(SyntheticClass.all[number], label: UInt8(number + 1), scale: 0.12...0.26, &generator)
                }
                try write(try scene.jpeg(&generator), to: images.appending("\(fourDigits(picture)).jpg"))
                try write(
                    try encodePNG(gray: scene.labels, width: imageSize, height: imageSize),
                    to: labels.appending("\(fourDigits(picture)).png"))
                boxes.add("\(fourDigits(picture)).jpg", scene.objects)
                done += 1
                progress(done, total)
            }
            try write(Array(boxes.json.utf8), to: folder.appending("segmentation/\(part)/boxes.json"))
        }
        try write(
            Array((["background"] + names).joined(separator: "\n").utf8 + [10]), to: folder.appending("classes.txt"))
    }

    /// More digits for larger numbers.
    private static func fourDigits(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    private static func makeFolder(_ folder: FilePath, _ below: String) throws -> FilePath {
        let path = folder.appending(below)
        try FileSystem.makeDirectories(path)
        return path
    }

    private static func write(_ bytes: [UInt8], to path: FilePath) throws {
        // Drawn again as easily: the disk is not waited for.
        try WholeFile.write(to: path, isDurable: false) { try $0.append(bytes) }
    }
}

/// A shape filled with a texture.
struct SyntheticClass: Sendable {
    enum Shape: String, CaseIterable, Sendable { case disc, square, triangle, star, ring }
    enum Texture: String, CaseIterable, Sendable { case stripes, spots }

    let shape: Shape
    let texture: Texture

    var name: String { "\(texture.rawValue)-\(shape.rawValue)" }

    static let all = Texture.allCases.flatMap { texture in
        Shape.allCases.map { SyntheticClass(shape: $0, texture: texture) }
    }

    /// Whether a point lies inside; the shape reaches to about 1 from its centre.
    func contains(_ x: Double, _ y: Double) -> Bool {
        let radius = (x * x + y * y).squareRoot()
        switch shape {
        case .disc: return radius < 0.9
        case .square: return max(abs(x), abs(y)) < 0.8
        case .triangle: return y > -0.6 && y < 1 - 1.8 * abs(x)
        case .star: return radius < 0.62 + 0.34 * cos(5 * atan2(y, x))
        case .ring: return radius > 0.5 && radius < 0.95
        }
    }

    /// 0 to 1: how much of the second colour a point of the texture has.
    func pattern(_ x: Double, _ y: Double, frequency: Double) -> Double {
        switch texture {
        case .stripes: return sin(frequency * x) > 0 ? 1 : 0
        case .spots: return sin(frequency * x) * sin(frequency * y) > 0.35 ? 1 : 0
        }
    }
}

/// A picture being drawn.
private struct SyntheticScene {
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
        for _ in 0..<3 + generator.integer(below: 8) { drawLine(&generator) }
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

    /// An object somewhere, at some size (in shares of the side) and angle, lit from one side.
    mutating func draw(
        _ kind: SyntheticClass, label: UInt8, scale: ClosedRange<Double>, _ generator: inout KeyedGenerator
    ) {
        let radius = generator.uniform(scale.lowerBound, scale.upperBound) * Double(size)
        let centreX = generator.uniform(radius * 0.7, Double(size) - radius * 0.7)
        let centreY = generator.uniform(radius * 0.7, Double(size) - radius * 0.7)
        let angle = generator.uniform(0, 2 * .pi), turn = generator.uniform(0, 2 * .pi)
        let squeeze = generator.uniform(0.75, 1), frequency = generator.uniform(9, 15)
        let first = Self.color(&generator)
        var second = Self.color(&generator)
        // The two colours of a texture must be told apart.
        if abs((first - second).sum()) < 0.5 { second = SIMD3(repeating: 1) - first }
        drawn.append(label)
        let light = generator.uniform(0.2, 0.6), lightAngle = generator.uniform(0, 2 * .pi)
        let reach = Int(radius * 1.1)
        for row in max(Int(centreY) - reach, 0)...min(Int(centreY) + reach, size - 1) {
            for column in max(Int(centreX) - reach, 0)...min(Int(centreX) + reach, size - 1) {
                let dx = (Double(column) - centreX) / radius, dy = (Double(row) - centreY) / radius
                let x = (dx * cos(angle) + dy * sin(angle)) / squeeze, y = dy * cos(angle) - dx * sin(angle)
                guard kind.contains(x, y) else { continue }
                let u = x * cos(turn) + y * sin(turn), v = y * cos(turn) - x * sin(turn)
                let shade = 1 - light * (0.5 + 0.5 * (dx * cos(lightAngle) + dy * sin(lightAngle)))
                let mix = kind.pattern(u, v, frequency: frequency)
                color[row * size + column] = (first + (second - first) * mix) * shade
                labels[row * size + column] = label
                owners[row * size + column] = drawn.count
            }
        }
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
