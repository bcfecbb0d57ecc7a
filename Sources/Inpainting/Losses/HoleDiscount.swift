import Glibc

/// How errors in a hole are discounted: those far from what is known may be many things, and count less.
package enum HoleDiscount {
    /// base^min(i, height − i, j, width − j) over a window: 1 at its top and left edges, base at the others.
    package static func overWindow(height: Int, width: Int, base: Double) -> [Double] {
        (0..<height).flatMap { i in
            (0..<width).map { j in pow(base, Double(min(i, height - i, j, width - j))) }
        }
    }

    /// base^(distance to the nearest known pixel) in the hole, 0 outside it, and 0 where nothing is known.
    package static func overHole(_ mask: UnsafeBufferPointer<Float>, height: Int, width: Int, base: Double) -> [Double]
    {
        zip(squaredDistances(mask, height: height, width: width), mask).map { square, hole in
            hole == 0 || square == .infinity ? 0 : pow(base, square.squareRoot())
        }
    }

    /// The squared distance of each pixel to the nearest one that is not hole: 0 there, infinite if there is none.
    package static func squaredDistances(
        _ mask: UnsafeBufferPointer<Float>, height: Int, width: Int
    ) -> [Double] {
        // Along rows first, then the best of each column's rows, nearest first.
        var beside = [Double](repeating: .infinity, count: height * width)
        for y in 0..<height {
            var left = Double.infinity, right = Double.infinity
            for x in 0..<width {
                left = mask[y * width + x] == 0 ? 0 : left + 1
                beside[y * width + x] = left
            }
            for x in (0..<width).reversed() {
                right = mask[y * width + x] == 0 ? 0 : right + 1
                beside[y * width + x] = min(beside[y * width + x], right)
            }
        }
        return (0..<height * width).map { place in
            let (y, x) = place.quotientAndRemainder(dividingBy: width)
            var best = beside[place] * beside[place], step = 1
            while step < height, Double(step * step) < best {
                for row in [y - step, y + step] where row >= 0 && row < height {
                    let other = beside[row * width + x]
                    best = min(best, other * other + Double(step * step))
                }
                step += 1
            }
            return best
        }
    }
}
