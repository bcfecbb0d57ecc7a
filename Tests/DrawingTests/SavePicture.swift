import Drawing
import Foundation
import TestSupport

/// A picture to look at: set PIXPRO_PICTURES to a folder and run the tests.
func savePicture(_ canvas: Canvas, _ name: String) throws {
    guard let folder = ProcessInfo.processInfo.environment["PIXPRO_PICTURES"] else { return }
    let picture = PlainPNG(canvas.width, canvas.height, .rgb, canvas.pixels.map(Int.init))
    try Data(picture.bytes).write(to: URL(filePath: folder).appending(path: name + ".png"))
}
