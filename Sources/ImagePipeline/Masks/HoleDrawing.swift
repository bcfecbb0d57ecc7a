import Glibc
package import TensorCore

/// How holes are drawn by chance.
package enum HoleDrawing: Sendable {
    /// A box of half the sides anywhere, made smaller on each axis by 0 to a sixteenth of the side at both ends (Yu et al.,
    /// CVPR 2018: at 256 px 128² less 0 to 16 px), and the box before it was made smaller.
    package static func rectangle(
        height: Int, width: Int, _ generator: inout KeyedGenerator
    ) -> (mask: HoleMask, window: PixelWindow) {
        let window = PixelWindow(
            top: generator.integer(below: height - height / 2 + 1),
            left: generator.integer(below: width - width / 2 + 1), height: height / 2, width: width / 2)
        let dy = generator.integer(below: height / 16 + 1), dx = generator.integer(below: width / 16 + 1)
        var mask = HoleMask(height: height, width: width)
        for y in window.top + dy..<window.top + window.height - dy {
            for x in window.left + dx..<window.left + window.width - dx { mask[y, x] = true }
        }
        return (mask, window)
    }

    /// One to four strokes of a broad brush that turn as they go, as a hand would wipe something away.
    package static func strokes(
        height: Int, width: Int, _ generator: inout KeyedGenerator
    ) -> (mask: HoleMask, window: PixelWindow) {
        let side = Double(min(height, width))
        var mask = HoleMask(height: height, width: width)
        for _ in 0..<1 + generator.integer(below: 4) {
            let radius = generator.uniform(side / 32, side / 14)
            var at = (y: generator.uniform(0, Double(height)), x: generator.uniform(0, Double(width)))
            var angle = generator.uniform(0, 2 * .pi)
            for _ in 0..<3 + generator.integer(below: 6) {
                let length = generator.uniform(side / 16, side / 5)
                let next = (
                    y: min(max(at.y + length * sin(angle), 0), Double(height)),
                    x: min(max(at.x + length * cos(angle), 0), Double(width))
                )
                mask.wipe(from: at, to: next, radius: radius)
                at = next
                angle += generator.uniform(-1.2, 1.2)
            }
        }
        return (mask, mask.window)
    }
}

extension HoleMask {
    /// Makes hole of all pixels whose centres lie within `radius` of a line.
    fileprivate mutating func wipe(from a: (y: Double, x: Double), to b: (y: Double, x: Double), radius: Double) {
        let (dy, dx) = (b.y - a.y, b.x - a.x), squaredLength = dy * dy + dx * dx
        func reach(_ p: Double, _ q: Double, _ limit: Int) -> Range<Int> {
            max(Int(min(p, q) - radius), 0)..<min(Int(max(p, q) + radius) + 1, limit)
        }
        for y in reach(a.y, b.y, height) {
            for x in reach(a.x, b.x, width) {
                let (py, px) = (Double(y) + 0.5 - a.y, Double(x) + 0.5 - a.x)
                let along = squaredLength > 0 ? min(max((py * dy + px * dx) / squaredLength, 0), 1) : 0
                let (ey, ex) = (py - along * dy, px - along * dx)
                if ey * ey + ex * ex <= radius * radius { self[y, x] = true }
            }
        }
    }
}
