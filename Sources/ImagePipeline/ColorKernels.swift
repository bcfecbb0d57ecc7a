#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Colour operations on three float planes (red, green, blue) of `count` pixels, values 0 to 255.
///
/// What torchvision does to Pillow images, which round to bytes after every operation; nothing is rounded here.
package struct ColorPlanes {
    let red: UnsafeMutablePointer<Float>
    let green: UnsafeMutablePointer<Float>
    let blue: UnsafeMutablePointer<Float>
    let count: Int

    package init(_ planes: UnsafeMutablePointer<Float>, count: Int) {
        (red, green, blue, self.count) = (planes, planes + count, planes + 2 * count, count)
    }

    private var planes: [UnsafeMutablePointer<Float>] { [red, green, blue] }

    package func apply(_ step: ViewDraw.ColorStep) {
        switch step {
        case .brightness(let factor): blend(with: 0, factor)
        case .contrast(let factor): blend(with: (meanGray + 0.5).rounded(.down), factor)
        case .saturation(let factor): saturate(factor)
        case .hue(let turn): rotateHue(turn)
        }
    }

    /// factor · x + (1 − factor) · level, clamped.
    private func blend(with level: Float, _ factor: Float) {
        let constant = (1 - factor) * level
        for plane in planes {
            for i in 0..<count { plane[i] = min(max(factor * plane[i] + constant, 0), 255) }
        }
    }

    /// Pillow's luma: (299 R + 587 G + 114 B) / 1000.
    @inline(__always)
    private func gray(_ i: Int) -> Float { 0.299 * red[i] + 0.587 * green[i] + 0.114 * blue[i] }

    private var meanGray: Float {
        var sums = SIMD8<Float>()
        let whole = count / 8 * 8
        for i in stride(from: 0, to: whole, by: 8) {
            for lane in 0..<8 { sums[lane] += gray(i + lane) }
        }
        var sum = sums.sum()
        for i in whole..<count { sum += gray(i) }
        return sum / Float(count)
    }

    private func saturate(_ factor: Float) {
        for i in 0..<count {
            let level = (1 - factor) * gray(i)
            red[i] = min(max(factor * red[i] + level, 0), 255)
            green[i] = min(max(factor * green[i] + level, 0), 255)
            blue[i] = min(max(factor * blue[i] + level, 0), 255)
        }
    }

    package func makeGray() {
        for i in 0..<count {
            let level = gray(i)
            red[i] = level
            green[i] = level
            blue[i] = level
        }
    }

    package func solarize() {
        for plane in planes {
            for i in 0..<count { plane[i] = plane[i] >= 128 ? 255 - plane[i] : plane[i] }
        }
    }

    /// Turns the hue by a share of the circle, keeping HSV's saturation and value.
    ///
    /// Written without branches: HSV to RGB as v − δ · max(0, min(k, 4 − k, 1)), k = (n + 6h) mod 6, n = 5, 3, 1.
    private func rotateHue(_ turn: Float) {
        for i in 0..<count {
            let r = red[i], g = green[i], b = blue[i]
            let high = max(r, max(g, b)), delta = high - min(r, min(g, b))
            let inverse = 1 / max(delta, 1e-6)
            let fromRed = (g - b) * inverse, fromGreen = (b - r) * inverse + 2, fromBlue = (r - g) * inverse + 4
            let sector = high == r ? fromRed : high == g ? fromGreen : fromBlue
            let hue = sector + 6 * turn + 12
            red[i] = Self.channel(high, delta, hue + 5)
            green[i] = Self.channel(high, delta, hue + 3)
            blue[i] = Self.channel(high, delta, hue + 1)
        }
    }

    @inline(__always)
    private static func channel(_ value: Float, _ delta: Float, _ position: Float) -> Float {
        let k = position - 6 * (position / 6).rounded(.down)
        return value - delta * max(0, min(k, min(4 - k, 1)))
    }
}

/// Gaussian blur of one plane; edges repeat their last pixel.
///
/// The kernel reaches three deviations. Pillow's blur is three box filters of the same deviation.
package func blur(
    _ plane: UnsafeMutablePointer<Float>, width: Int, height: Int, sigma: Double, scratch: inout [Float]
) {
    let radius = max(1, Int((3 * sigma).rounded(.up)))
    let raw = (-radius...radius).map { exp(-Double($0 * $0) / (2 * sigma * sigma)) }
    let sum = raw.reduce(0, +)
    let kernel = raw.map { Float($0 / sum) }
    let size = width * height + width + 2 * radius
    if scratch.count < size { scratch = [Float](repeating: 0, count: size) }
    scratch.withUnsafeMutableBufferPointer { scratch in
        let copy = scratch.baseAddress!, padded = copy + width * height
        copy.update(from: plane, count: width * height)
        for y in 0..<height {
            let target = plane + y * width
            target.update(repeating: 0, count: width)
            for tap in -radius...radius {
                let source = copy + min(max(y + tap, 0), height - 1) * width
                let weight = kernel[tap + radius]
                for x in 0..<width { target[x] += weight * source[x] }
            }
        }
        for y in 0..<height {
            let row = plane + y * width
            for i in 0..<radius {
                padded[i] = row[0]
                padded[radius + width + i] = row[width - 1]
            }
            (padded + radius).update(from: row, count: width)
            row.update(repeating: 0, count: width)
            for tap in 0...2 * radius {
                let weight = kernel[tap]
                for x in 0..<width { row[x] += weight * padded[x + tap] }
            }
        }
    }
}

/// Writes planes as interleaved normalised pixels (x / 255 − mean) / deviation, mirrored if asked: NHWC's [H, W, 3].
func interleave(
    _ planes: UnsafePointer<Float>, width: Int, height: Int, flips: Bool, into target: UnsafeMutablePointer<Float>
) {
    let count = width * height
    for channel in 0..<3 {
        let scale = 1 / (255 * PixelNormalization.deviation[channel])
        let shift = -PixelNormalization.mean[channel] / PixelNormalization.deviation[channel]
        for y in 0..<height {
            let row = planes + channel * count + y * width, output = target + y * width * 3 + channel
            if flips {
                for x in 0..<width { output[x * 3] = row[width - 1 - x] * scale + shift }
            } else {
                for x in 0..<width { output[x * 3] = row[x] * scale + shift }
            }
        }
    }
}

/// ImageNet's statistics of RGB in 0…1.
public enum PixelNormalization {
    public static let mean: [Float] = [0.485, 0.456, 0.406]
    public static let deviation: [Float] = [0.229, 0.224, 0.225]
}
