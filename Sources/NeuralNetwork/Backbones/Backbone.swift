/// One of the maps that a backbone makes.
public struct BackboneLevel: Sendable, Equatable {
    /// "C2" to "C5".
    public let name: String
    /// Pixels of the image to one of the map, each way.
    public let stride: Int
    public let channels: Int

    public init(name: String, stride: Int, channels: Int) {
        (self.name, self.stride, self.channels) = (name, stride, channels)
    }

    /// Rows or columns of the map of an image of so many.
    public func cells(_ pixels: Int) -> Int { (pixels + stride - 1) / stride }
}

/// A network that makes maps of images, level by level: what heads and probes stand on.
public protocol Backbone: AnyObject {
    /// Finest first.
    var levels: [BackboneLevel] { get }

    /// Images [N, H, W, 3], normalised → a map [N, ⌈H/stride⌉, ⌈W/stride⌉, channels] for each level, in the pass's element
    /// type.
    func maps(_ images: Variable, _ pass: Pass) throws -> [Variable]
}

extension Backbone {
    /// The coarsest.
    public var top: BackboneLevel { levels[levels.count - 1] }

    /// Images [N, H, W, 3] → the map of the coarsest level.
    public func callAsFunction(_ images: Variable, _ pass: Pass) throws -> Variable {
        try maps(images, pass)[levels.count - 1]
    }
}
