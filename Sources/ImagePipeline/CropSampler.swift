import Glibc
import TensorCore

/// torchvision's RandomResizedCrop: a box of random area and shape.
struct CropSampler: Sendable {
    /// Least and most share of the image's area.
    let scale: ClosedRange<Double>
    /// Least and most width divided by height.
    let aspect: ClosedRange<Double>

    /// Ten attempts at a uniform area and a log-uniform aspect ratio in their ranges, then the centre.
    func draw(width: Int, height: Int, _ generator: inout KeyedGenerator) -> PixelRegion {
        let area = Double(width * height)
        for _ in 0..<10 {
            let target = area * generator.uniform(scale.lowerBound, scale.upperBound)
            let ratio = exp(generator.uniform(log(aspect.lowerBound), log(aspect.upperBound)))
            let w = Int((target * ratio).squareRoot().rounded()), h = Int((target / ratio).squareRoot().rounded())
            guard w > 0, w <= width, h > 0, h <= height else { continue }
            let y = generator.integer(below: height - h + 1), x = generator.integer(below: width - w + 1)
            return PixelRegion(x: x, y: y, width: w, height: h)
        }
        let ratio = Double(width) / Double(height)
        var w = width, h = height
        if ratio < aspect.lowerBound {
            h = min(max(Int((Double(w) / aspect.lowerBound).rounded()), 1), height)
        } else if ratio > aspect.upperBound {
            w = min(max(Int((Double(h) * aspect.upperBound).rounded()), 1), width)
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
    package let flipsVertically: Bool
    package let colorSteps: [ColorStep]
    package let grayscale: Bool
    /// Deviation of the blur in pixels of the view.
    package let blur: Double?
    package let solarizes: Bool

    /// Every number is drawn whether it is used or not, so that a changed probability leaves all other draws as they are.
    init(
        width: Int, height: Int, sampler: CropSampler, _ chances: Augmentation, view: Augmentation.View,
        _ generator: inout KeyedGenerator
    ) {
        crop = sampler.draw(width: width, height: height, &generator)
        flips = generator.chance(chances.flip)
        let jitters = generator.chance(chances.colorJitter)
        func factor(_ strength: Double) -> Float { Float(generator.uniform(max(0, 1 - strength), 1 + strength)) }
        var steps: [ColorStep] = [
            .brightness(factor(chances.brightness)), .contrast(factor(chances.contrast)),
            .saturation(factor(chances.saturation)), .hue(Float(generator.uniform(-chances.hue, chances.hue))),
        ]
        for i in stride(from: 3, to: 0, by: -1) { steps.swapAt(i, generator.integer(below: i + 1)) }
        colorSteps = jitters ? steps : []
        grayscale = generator.chance(chances.grayscale)
        let blurs = generator.chance(view.blur)
        let sigma = generator.uniform(chances.minimumBlur, chances.maximumBlur)
        blur = blurs ? sigma : nil
        solarizes = generator.chance(view.solarize)
        flipsVertically = generator.chance(chances.verticalFlip)
    }
}
