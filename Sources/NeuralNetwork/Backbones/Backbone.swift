/// One of the maps that a backbone makes.
package struct BackboneLevel: Sendable, Equatable {
    /// "C2" to "C5".
    package let name: String
    /// Pixels of the image to one of the map, each way.
    package let stride: Int
    package let channels: Int

    package init(name: String, stride: Int, channels: Int) {
        (self.name, self.stride, self.channels) = (name, stride, channels)
    }

    /// "2" to "5".
    var number: String { String(name.dropFirst()) }

    /// Rows or columns of the map of an image of so many.
    package func cells(_ pixels: Int) -> Int { (pixels + stride - 1) / stride }
}

/// A network that makes maps of images, level by level: what heads and probes stand on.
package protocol Backbone: AnyObject {
    /// Finest first.
    var levels: [BackboneLevel] { get }

    /// Images [N, H, W, 3], normalised → a map [N, ⌈H/stride⌉, ⌈W/stride⌉, channels] for each level, in the pass's element
    /// type.
    func maps(_ images: Variable, _ pass: Pass) throws -> [Variable]
}

extension Backbone {
    /// The coarsest.
    package var top: BackboneLevel { levels[levels.count - 1] }

    /// Images [N, H, W, 3] → the map of the coarsest level.
    package func callAsFunction(_ images: Variable, _ pass: Pass) throws -> Variable {
        try maps(images, pass)[levels.count - 1]
    }
}
