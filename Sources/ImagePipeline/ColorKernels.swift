import Glibc

/// Colour operations on three runs of floats (red, green, blue) of `count` pixels, values 0 to 255: a row, or more.
///
/// What torchvision does to Pillow images, which round to bytes after every operation; nothing is rounded here.
package struct ColorRuns {
    let red: UnsafeMutablePointer<Float>
    let green: UnsafeMutablePointer<Float>
    let blue: UnsafeMutablePointer<Float>
    let count: Int

    package init(_ runs: UnsafeMutablePointer<Float>, count: Int) {
        (red, green, blue, self.count) = (runs, runs + count, runs + 2 * count, count)
    }

    /// `meanGray` is that of the whole picture, before this step.
    package func apply(_ step: ViewDraw.ColorStep, meanGray: Float) {
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
        for run in [red, green, blue] {
            for i in 0..<count { run[i] = min(max(factor * run[i] + constant, 0), 255) }
        }
    }

    /// Pillow's luma: (299 R + 587 G + 114 B) / 1000.
    @inline(__always)
    private func gray(_ i: Int) -> Float { 0.299 * red[i] + 0.587 * green[i] + 0.114 * blue[i] }

    /// The sum of all pixels' luma.
    package var graySum: Float {
        var sums = SIMD8<Float>()
        let whole = count / 8 * 8
        for i in stride(from: 0, to: whole, by: 8) {
            for lane in 0..<8 { sums[lane] += gray(i + lane) }
        }
        var sum = sums.sum()
        for i in whole..<count { sum += gray(i) }
        return sum
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
        for run in [red, green, blue] {
            for i in 0..<count { run[i] = run[i] >= 128 ? 255 - run[i] : run[i] }
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

/// Writes runs as interleaved normalised pixels, (x / 255 − mean) / deviation: NHWC's [..., 3].
func interleave(
    _ colors: ColorRuns, into target: UnsafeMutablePointer<Float>, _ normalization: PixelNormalization
) {
    let (red, green, blue) = (colors.red, colors.green, colors.blue)
    let (mean, deviation) = (normalization.mean, normalization.deviation)
    let scales = 1 / (255 * deviation), shifts = -mean / deviation
    for i in 0..<colors.count {
        target[3 * i] = shifts[0].addingProduct(red[i], scales[0])
        target[3 * i + 1] = shifts[1].addingProduct(green[i], scales[1])
        target[3 * i + 2] = shifts[2].addingProduct(blue[i], scales[2])
    }
}

/// What is taken from RGB in 0…1, and what the rest is divided by.
package struct PixelNormalization: Sendable, Equatable {
    package let mean, deviation: SIMD3<Float>

    package init(mean: SIMD3<Float>, deviation: SIMD3<Float>) { (self.mean, self.deviation) = (mean, deviation) }

    /// ImageNet's statistics, as backbones are trained with.
    package static let imageNet = PixelNormalization(mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])
    /// Values stay in 0…1.
    package static let none = PixelNormalization(mean: .zero, deviation: .one)
    /// To −1…1, as networks that make pictures are trained with.
    package static let symmetric = PixelNormalization(mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5])
}
