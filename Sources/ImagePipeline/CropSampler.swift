import TensorCore

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// torchvision's RandomResizedCrop: a box of random area and shape.
struct CropSampler: Sendable {
    /// Least share of the image's area.
    let minimumScale: Double

    /// Ten attempts at an area in (minimumScale, 1) and a log-uniform aspect ratio in (3/4, 4/3), then the centre.
    func draw(width: Int, height: Int, _ generator: inout KeyedGenerator) -> PixelRegion {
        let area = Double(width * height)
        for _ in 0..<10 {
            let target = area * generator.uniform(minimumScale, 1)
            let ratio = exp(generator.uniform(log(3.0 / 4), log(4.0 / 3)))
            let w = Int((target * ratio).squareRoot().rounded()), h = Int((target / ratio).squareRoot().rounded())
            guard w > 0, w <= width, h > 0, h <= height else { continue }
            let y = generator.integer(below: height - h + 1), x = generator.integer(below: width - w + 1)
            return PixelRegion(x: x, y: y, width: w, height: h)
        }
        let ratio = Double(width) / Double(height)
        var w = width, h = height
        if ratio < 3.0 / 4 {
            h = min(Int((Double(w) / (3.0 / 4)).rounded()), height)
        } else if ratio > 4.0 / 3 {
            w = min(Int((Double(h) * (4.0 / 3)).rounded()), width)
        }
        return PixelRegion(x: (width - w) / 2, y: (height - h) / 2, width: w, height: h)
    }
}

/// Everything random about one view, drawn before any pixel is touched: a function of (seed, epoch, sample, view).
package struct ViewDraw: Sendable {
    package enum ColorStep: Sendable {
        case brightness(Float)
        case contrast(Float)
        case saturation(Float)
        case hue(Float)
    }

    package let crop: PixelRegion
    package let flips: Bool
    package let colorSteps: [ColorStep]
    package let grayscale: Bool
    /// Deviation of the blur in pixels of the view.
    package let blur: Double?
    package let solarizes: Bool

    /// The published recipes: view 0 is always blurred, view 1 seldom, but is solarised at times.
    init(width: Int, height: Int, sampler: CropSampler, view: Int, _ generator: inout KeyedGenerator) {
        crop = sampler.draw(width: width, height: height, &generator)
        flips = generator.chance(0.5)
        let jitters = generator.chance(0.8)
        var steps: [ColorStep] = [
            .brightness(Float(generator.uniform(0.6, 1.4))), .contrast(Float(generator.uniform(0.6, 1.4))),
            .saturation(Float(generator.uniform(0.8, 1.2))), .hue(Float(generator.uniform(-0.1, 0.1))),
        ]
        for i in stride(from: 3, to: 0, by: -1) { steps.swapAt(i, generator.integer(below: i + 1)) }
        colorSteps = jitters ? steps : []
        grayscale = generator.chance(0.2)
        let blurs = generator.chance(view == 0 ? 1 : 0.1)
        let sigma = generator.uniform(0.1, 2)
        blur = blurs ? sigma : nil
        solarizes = generator.chance(0.2) && view == 1
    }
}
