import Foundation
import ImagePipeline

/// What the kernels do, written plainly over interleaved pixels in double precision.
enum Twin {
    struct Picture {
        let width: Int
        let height: Int
        var pixels: [Double]

        subscript(x: Int, y: Int, c: Int) -> Double { pixels[(y * width + x) * 3 + c] }

        init(_ width: Int, _ height: Int, _ value: (Int, Int, Int) -> Double) {
            (self.width, self.height) = (width, height)
            pixels = (0..<width * height * 3).map { value($0 / 3 % width, $0 / 3 / width, $0 % 3) }
        }

        init(_ image: RGBImage) {
            (width, height, pixels) = (image.width, image.height, image.pixels.map(Double.init))
        }

        func mapped(_ change: (_ r: Double, _ g: Double, _ b: Double) -> [Double]) -> Picture {
            var result = self
            for i in stride(from: 0, to: pixels.count, by: 3) {
                result.pixels.replaceSubrange(i..<i + 3, with: change(pixels[i], pixels[i + 1], pixels[i + 2]))
            }
            return result
        }

        var mirrored: Picture { Picture(width, height) { x, y, c in self[width - 1 - x, y, c] } }
    }

    /// Weights of the source pixels `low`..<`high` for output `i` of `count`.
    private static func weights(_ low: Double, _ high: Double, _ i: Int, of count: Int, limit: Int) -> [Int: Double] {
        let scale = (high - low) / Double(count), support = max(scale, 1), centre = low + (Double(i) + 0.5) * scale
        var result: [Int: Double] = [:]
        for source in Int(low.rounded(.down))..<min(Int(high.rounded(.up)), limit) {
            let weight = 1 - abs(Double(source) + 0.5 - centre) / support
            if weight > 0 { result[source] = weight }
        }
        let sum = result.values.reduce(0, +)
        return result.mapValues { $0 / sum }
    }

    /// Pillow's antialiased bilinear resize of the rectangle x0..<x1, y0..<y1, without its rounding.
    static func resized(
        _ picture: Picture, _ x0: Double, _ x1: Double, _ y0: Double, _ y1: Double, width: Int, height: Int
    ) -> Picture {
        Picture(width, height) { x, y, c in
            var sum = 0.0
            for (row, v) in weights(y0, y1, y, of: height, limit: picture.height) {
                for (column, h) in weights(x0, x1, x, of: width, limit: picture.width) {
                    sum += v * h * picture[column, row, c]
                }
            }
            return sum
        }
    }

    /// Pillow's GaussianBlur without its rounding: three boxes of fractional length along each axis.
    static func blurred(_ picture: Picture, sigma: Double) -> Picture {
        let variance = sigma * sigma / 3
        let whole = floor((sqrt(12 * variance + 1) - 1) / 2)
        let fraction =
            (2 * whole + 1) * (whole * (whole + 1) - 3 * variance) / (6 * (variance - (whole + 1) * (whole + 1)))
        let length = 2 * (whole + fraction) + 1, reach = Int(whole) + 1
        func weight(_ distance: Int) -> Double { abs(distance) == reach ? fraction / length : 1 / length }
        var result = picture
        for pass in 0..<6 {
            let source = result
            result = Picture(source.width, source.height) { x, y, c in
                (-reach...reach).reduce(0) { sum, d in
                    let column = pass < 3 ? min(max(x + d, 0), source.width - 1) : x
                    let row = pass < 3 ? y : min(max(y + d, 0), source.height - 1)
                    return sum + weight(d) * source[column, row, c]
                }
            }
        }
        return result
    }

    static func gray(_ r: Double, _ g: Double, _ b: Double) -> Double { (299 * r + 587 * g + 114 * b) / 1000 }

    static func colored(_ picture: Picture, _ step: ViewDraw.ColorStep) -> Picture {
        func clamp(_ x: Double) -> Double { min(max(x, 0), 255) }
        func blend(_ x: Double, _ level: Double, _ factor: Float) -> Double {
            clamp(Double(factor) * x + (1 - Double(factor)) * level)
        }
        switch step {
        case .brightness(let factor):
            return picture.mapped { [blend($0, 0, factor), blend($1, 0, factor), blend($2, 0, factor)] }
        case .contrast(let factor):
            var sum = 0.0
            for i in stride(from: 0, to: picture.pixels.count, by: 3) {
                sum += gray(picture.pixels[i], picture.pixels[i + 1], picture.pixels[i + 2])
            }
            let mean = floor(sum / Double(picture.pixels.count / 3) + 0.5)
            return picture.mapped { [blend($0, mean, factor), blend($1, mean, factor), blend($2, mean, factor)] }
        case .saturation(let factor):
            return picture.mapped {
                let level = gray($0, $1, $2)
                return [blend($0, level, factor), blend($1, level, factor), blend($2, level, factor)]
            }
        case .hue(let turn): return picture.mapped { turned($0, $1, $2, Double(turn)) }
        }
    }

    /// By way of HSV, as in any textbook.
    private static func turned(_ r: Double, _ g: Double, _ b: Double, _ turn: Double) -> [Double] {
        let value = max(r, g, b), chroma = value - min(r, g, b)
        guard chroma > 0 else { return [r, g, b] }
        var hue = value == r ? (g - b) / chroma : value == g ? (b - r) / chroma + 2 : (r - g) / chroma + 4
        hue = (hue / 6 + turn).truncatingRemainder(dividingBy: 1)
        if hue < 0 { hue += 1 }
        let sector = Int(hue * 6) % 6, part = hue * 6 - floor(hue * 6)
        let low = value - chroma, falling = value - chroma * part, rising = value - chroma * (1 - part)
        return [
            [value, rising, low], [falling, value, low], [low, value, rising], [low, falling, value],
            [rising, low, value], [value, low, falling],
        ][sector]
    }

    static func solarized(_ picture: Picture) -> Picture {
        picture.mapped { [$0, $1, $2].map { $0 >= 128 ? 255 - $0 : $0 } }
    }

    static func normalized(_ picture: Picture) -> [Double] {
        picture.pixels.enumerated().map {
            ($1 / 255 - Double(PixelNormalization.imageNet.mean[$0 % 3]))
                / Double(PixelNormalization.imageNet.deviation[$0 % 3])
        }
    }

    /// A whole view of a picture decoded at full size.
    static func view(_ picture: Picture, _ draw: ViewDraw, size: Int) -> [Double] {
        let crop = draw.crop
        var view = resized(
            picture, Double(crop.x), Double(crop.x + crop.width), Double(crop.y), Double(crop.y + crop.height),
            width: size, height: size)
        if draw.flips { view = view.mirrored }
        for step in draw.colorSteps { view = colored(view, step) }
        if draw.grayscale { view = view.mapped { Array(repeating: gray($0, $1, $2), count: 3) } }
        if let sigma = draw.blur { view = blurred(view, sigma: sigma) }
        if draw.solarizes { view = solarized(view) }
        return normalized(view)
    }
}

/// The kernels' results as interleaved pixels.
func resized(
    _ decoded: DecodedRegion, _ crop: PixelRegion, _ width: Int, _ height: Int, mirrored: Bool = false
) -> [Float] {
    let resizer = Resizer()
    resizer.set(decoded, crop: crop, width: width, height: height, mirrored: mirrored)
    var row = [Float](repeating: 0, count: 3 * width)
    return (0..<height).flatMap { y in
        resizer.resizeRow(y, of: decoded.image, into: &row)
        return interleaved(row)
    }
}

func blurred(_ pixels: [Float], _ width: Int, _ height: Int, _ sigma: Double) -> [Float] {
    let rows = (0..<height).flatMap { y in
        (0..<3 * width).map { pixels[(y * width + $0 % width) * 3 + $0 / width] }
    }
    let blur = Blur(width: width, height: height)
    blur.begin(sigma: sigma)
    var row = [Float](repeating: 0, count: 3 * width)
    return (0..<height).flatMap { y in
        rows.withUnsafeBufferPointer { blur.blurRow(y, of: $0.baseAddress!, into: &row) }
        return interleaved(row)
    }
}

private func interleaved(_ row: [Float]) -> [Float] {
    let width = row.count / 3
    return (0..<row.count).map { row[$0 % 3 * width + $0 / 3] }
}
