import Glibc
package import ImagePipeline

/// How errors in a hole are discounted: those far from what is known may be many things, and count less.
package enum HoleDiscount {
    /// base^min(i, height − i, j, width − j) over a window: 1 at its top and left edges, base at the others.
    package static func overWindow(height: Int, width: Int, base: Double) -> [Double] {
        (0..<height).flatMap { i in
            (0..<width).map { j in pow(base, Double(min(i, height - i, j, width - j))) }
        }
    }

    /// base^(distance to the nearest known pixel) in the hole, 0 outside it, and 0 where nothing is known.
    package static func overHole(_ mask: HoleMask, base: Double) -> [Double] {
        zip(NearestKnown(mask).distances, mask.holes).map { distance, isHole in
            isHole && distance < .infinity ? pow(base, distance) : 0
        }
    }
}
