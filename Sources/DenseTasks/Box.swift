/// A rectangle in pixels: the left upper corner and the size, as COCO writes them. Pixel (0, 0) covers 0 to 1.
package struct Box: Sendable, Hashable, BitwiseCopyable {
    package var x: Double
    package var y: Double
    package var width: Double
    package var height: Double

    package init(x: Double, y: Double, width: Double, height: Double) {
        (self.x, self.y, self.width, self.height) = (x, y, width, height)
    }

    package init(left: Double, top: Double, right: Double, bottom: Double) {
        self.init(x: left, y: top, width: right - left, height: bottom - top)
    }

    package var right: Double { x + width }
    package var bottom: Double { y + height }
    package var area: Double { width * height }
    package var isFinite: Bool { x.isFinite && y.isFinite && width.isFinite && height.isFinite }

    /// The pixels that both cover.
    package func intersection(_ other: Box) -> Double {
        let width = min(right, other.right) - max(x, other.x)
        let height = min(bottom, other.bottom) - max(y, other.y)
        return width > 0 && height > 0 ? width * height : 0
    }

    /// Intersection over union; 0 for boxes that do not overlap.
    package func overlap(_ other: Box) -> Double {
        let both = intersection(other)
        return both > 0 ? both / (area + other.area - both) : 0
    }

    /// How far it reaches beyond a picture of this size; negative where it does not.
    package func overhang(width: Double, height: Double) -> Double {
        max(-x, -y, right - width, bottom - height)
    }

    /// The part inside a picture of this size; its width or height is negative where there is none.
    package func clipped(width: Double, height: Double) -> Box {
        // As it is, to the last bit.
        guard overhang(width: width, height: height) > 0 else { return self }
        return Box(left: max(x, 0), top: max(y, 0), right: min(right, width), bottom: min(bottom, height))
    }
}
