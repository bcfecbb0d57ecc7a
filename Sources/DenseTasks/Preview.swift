import Drawing
import ImagePipeline

extension Canvas {
    /// A picture for people to look at: a JPEG, or a PNG where a side is longer than a JPEG's may be.
    ///
    /// - Parameter name: the end of the file's name without the format's.
    func preview(_ name: String) throws -> (ending: String, bytes: [UInt8]) {
        max(width, height) <= 65_500
            ? (name + ".jpg", try encodeJPEG(rgb: pixels, width: width, height: height))
            : (name + ".png", try encodePNG(rgb: pixels, width: width, height: height))
    }
}
