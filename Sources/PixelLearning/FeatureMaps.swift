import Evaluation
import ImagePipeline
import NeuralNetwork
import TensorCore

/// What a backbone sees in one picture: a unit vector of features for each cell.
struct FeatureMaps {
    /// [rows · columns, channels].
    let cells: Tensor
    let rows, columns: Int
    /// Of the picture.
    let height, width: Int

    /// Of the image that the backbone sees: enough cells to see something, unless the long side would be too long.
    private static let shortSide = 448.0
    private static let longestSide = 1792.0

    /// Throws `ImageError` where the bytes are no picture, or the backbone makes no numbers of it.
    init(
        _ bytes: [UInt8], _ normalization: PixelNormalization, _ encoder: ResNet, _ convolutions: Convolutions
    ) throws {
        (width, height) = try ImageDecoder.size(of: bytes)
        let scale = min(
            Self.shortSide / Double(min(width, height)), Self.longestSide / Double(max(width, height)))
        let image = try EvaluationTransform.plainView(
            bytes, height: max(Int(Double(height) * scale), 1), width: max(Int(Double(width) * scale), 1),
            normalization)
        let features = try encoder(
            Variable(image.reshaped([1] + image.shape)), Pass(mode: .evaluation, convolutions: convolutions)
        ).value
        (rows, columns) = (features.shape[1], features.shape[2])
        let matrix = features.reshaped([rows * columns, features.shape[3]])
        guard matrix.isFinite else { throw ImageError(notFinite: "features") }
        cells = normalizeRows(Variable(matrix), Pass(mode: .evaluation)).value
    }

    /// Where each cell lies along some directions, as colours: [cells, count] of 0…1.
    func components(_ basis: PrincipalComponents) -> [[Double]] { basis.scaled(cells) }

    /// The cosine of each cell's features and those at a place, as shares of width and height, from −1…1 to 0…1.
    func similarity(to mark: (x: Double, y: Double)) -> [Double] {
        let row = min(Int(mark.y * Double(rows)), rows - 1), column = min(Int(mark.x * Double(columns)), columns - 1)
        let channels = cells.shape[1], values = cells.floats, first = (row * columns + column) * channels
        return (0..<rows * columns).map { cell in
            let cosine = (0..<channels).reduce(0.0) {
                $0 + Double(values[cell * channels + $1]) * Double(values[first + $1])
            }
            return (1 + min(max(cosine, -1), 1)) / 2
        }
    }

    /// One map or three of values in 0…1, a value for each cell, as bytes of gray or RGB.
    func pixels(_ maps: [[Double]], height: Int, width: Int) -> [UInt8] {
        let channels = maps.count
        let map = Tensor(
            [rows * columns, channels], (0..<rows * columns).flatMap { cell in maps.map { Float($0[cell]) } })
        let pixels = BilinearUpsampling(mapRows: rows, mapColumns: columns, height: height, width: width)(map)
        let values = pixels.floats
        var bytes = [UInt8](repeating: 0, count: height * width * channels)
        for y in 0..<height {
            for x in 0..<width {
                for c in 0..<channels {
                    let value = values[(y * channels + c) * width + x]
                    bytes[(y * width + x) * channels + c] = UInt8(shade: value)
                }
            }
        }
        return bytes
    }

    /// A PNG of them at the picture's size.
    func png(_ maps: [[Double]]) throws -> [UInt8] {
        let bytes = pixels(maps, height: height, width: width)
        return maps.count == 1
            ? try encodePNG(gray: bytes, width: width, height: height)
            : try encodePNG(rgb: bytes, width: width, height: height)
    }
}

/// A picture beside what random weights and learned ones see in it.
enum FeaturePanel {
    /// Of the longer side in the panel, in pixels.
    private static let side = 256.0

    /// What it shows, for its name.
    static let parts = "picture, random features, learned features, likeness to the middle"

    /// The picture, the components of random features and of learned ones along the learned ones' directions, and how alike
    /// each place is to the middle. Throws `ImageError` where the bytes are no picture.
    static func image(_ bytes: [UInt8], random: FeatureMaps, learned: FeatureMaps) throws -> RGBImage {
        let scale = min(side / Double(max(learned.height, learned.width)), 1)
        let height = max(Int(Double(learned.height) * scale), 1), width = max(Int(Double(learned.width) * scale), 1)
        let whole = PixelRegion(x: 0, y: 0, width: learned.width, height: learned.height)
        let picture = try RegionRenderer().render(bytes, whole, height: height, width: width, .none)
        let basis = PrincipalComponents(fitting: learned.cells, count: 3)
        let alike = learned.similarity(to: (0.5, 0.5))
        return RGBImage.row(
            [
                picture.floats.map { UInt8(shade: $0) },
                random.pixels(random.components(basis), height: height, width: width),
                learned.pixels(learned.components(basis), height: height, width: width),
                learned.pixels([alike, alike, alike], height: height, width: width),
            ].map { RGBImage(width: width, height: height, pixels: $0) })
    }
}
