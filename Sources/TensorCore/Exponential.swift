import CVector

/// eˣ for x ≤ 0 to about 2 ulp, e⁻⁸⁷ below −87: x = n·ln 2 + r, and a polynomial in r (Cephes). Branch-free, so that loops
/// over it vectorise.
@inline(__always)
func exponential(_ x: Float) -> Float {
    let bounded = x > -87 ? x : -87
    // Adding 1.5 · 2²³ rounds to a whole number and leaves it in the low bits.
    let shifted = bounded * 1.442_695_04 + 12_582_912
    let n = shifted - 12_582_912
    let r = bounded - n * 0.693_359_375 + n * 2.121_944_4e-4
    var p: Float = 1.987_569_15e-4
    p = p * r + 1.398_199_95e-3
    p = p * r + 8.333_451_91e-3
    p = p * r + 4.166_579_59e-2
    p = p * r + 1.666_666_55e-1
    p = p * r + 5.000_000_12e-1
    p = p * r * r + r + 1
    return Float(bitPattern: p.bitPattern &+ (shifted.bitPattern &<< 23))
}

/// The same of eight numbers.
@inline(__always)
func exponential(_ x: SIMD8<Float>) -> SIMD8<Float> { cvector_exponential(x) }
