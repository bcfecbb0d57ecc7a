import ImagePipeline
package import Learning
package import NeuralNetwork
package import SystemPackage
import TensorCore

/// Pictures with their holes filled: the result, the coarse proposal, and where each place borrowed from.
package final class InpaintingPredictor: TaskPredictor {
    private let filling: PictureFilling
    private let masks: MaskFolder
    private let shortestSide: Int

    /// Throws where there are no masks.
    package init(_ settings: InpainterSettings, masks: FilePath?) throws {
        guard let masks else {
            throw MaskError(
                "say with --masks which parts of the pictures to fill: a folder with a mask for each, or one file")
        }
        self.masks = try MaskFolder(masks)
        filling = PictureFilling(Generator(settings, seed: nil))
        shortestSide = PictureFilling.shortestSide(settings.dialect)
    }

    package var states: [ModelState] { [filling.generator.state] }

    package func predict(_ picture: PredictedPicture) throws -> Prediction {
        let size = try ImageDecoder.size(of: picture.bytes), (width, height) = (size.width, size.height)
        guard min(width, height) >= shortestSide else {
            throw ImageError(
                "is \(width)×\(height) pixels, smaller than the generator's steps: \(shortestSide) at least")
        }
        guard max(width, height) <= PictureFilling.longestSide else {
            throw ImageError(
                "is \(width)×\(height) pixels; at most \(PictureFilling.longestSide) are filled at once: make it smaller, or "
                    + "cut out the part around the hole")
        }
        let mask = try masks.mask(of: picture.name, height: height, width: width)
        let whole = PixelRegion(x: 0, y: 0, width: width, height: height)
        let image = try RegionRenderer().render(picture.bytes, whole, height: height, width: width, .symmetric)
        let filled = filling.fill(image, mask)
        guard filled.result.isFinite && filled.coarse.isFinite else { throw ImageError(notFinite: "colours") }
        func png(_ image: RGBImage) throws -> [UInt8] {
            try encodePNG(rgb: image.pixels, width: image.width, height: image.height)
        }
        return Prediction(
            files: [
                (".filled.png", try png(RGBImage(symmetric: filled.result))),
                (".coarse.png", try png(RGBImage(symmetric: filled.coarse))),
            ] + (try filled.attention.map { [(".attention.png", try png($0))] } ?? []))
    }
}
