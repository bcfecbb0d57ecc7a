import Glibc

/// A random generator whose whole stream is a function of its key words, so that a draw for (seed, epoch, sample, view)
/// is the same on any rank, thread or host.
///
/// The key is hashed into the state of xoshiro256** (Blackman and Vigna 2018) by rounds of SplitMix64.
public struct KeyedGenerator: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    public init(_ key: UInt64...) { self.init(key: key) }

    public init(key: [UInt64]) {
        var hash: UInt64 = 0x9E37_79B9_7F4A_7C15
        for word in key { hash = Self.mix(hash ^ word &+ 0x9E37_79B9_7F4A_7C15 &* (hash | 1)) }
        func next() -> UInt64 {
            hash &+= 0x9E37_79B9_7F4A_7C15
            return Self.mix(hash)
        }
        state = (next(), next(), next(), next())
    }

    /// The finaliser of SplitMix64.
    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    public mutating func next() -> UInt64 {
        func rotated(_ x: UInt64, _ k: UInt64) -> UInt64 { (x << k) | (x >> (64 - k)) }
        let result = rotated(state.1 &* 5, 7) &* 9
        let t = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= t
        state.3 = rotated(state.3, 45)
        return result
    }

    /// Uniform in [0, 1) with 53 random bits.
    public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    public mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }

    /// Uniform in 0..<bound (Lemire's multiplication; the bias is below 2⁻³² for bounds under 2³²).
    public mutating func integer(below bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    public mutating func chance(_ probability: Double) -> Bool { uniform() < probability }

    /// Standard normal, by the ziggurat (Marsaglia and Tsang 2000, with the corrections of Doornik 2005): 98 of 100 draws
    /// cost one random word, a comparison and a product, so that millions of weights are drawn in no time.
    public mutating func normal() -> Double {
        while true {
            let word = next(), layer = Int(word & 127)
            let u = 2 * (Double(word >> 11) * 0x1p-53) - 1
            let outer = Ziggurat.edges[layer], inner = Ziggurat.edges[layer + 1], x = u * outer
            if abs(x) < inner { return x }
            if layer == 0 { return u < 0 ? -normalTail() : normalTail() }
            let upper = exp(-0.5 * (outer * outer - x * x)), lower = exp(-0.5 * (inner * inner - x * x))
            if lower + uniform() * (upper - lower) < 1 { return x }
        }
    }

    /// A normal draw beyond the lowest layer (Marsaglia 1964).
    private mutating func normalTail() -> Double {
        while true {
            let x = -log(1 - uniform()) / Ziggurat.edges[1], y = -log(1 - uniform())
            if 2 * y > x * x { return Ziggurat.edges[1] + x }
        }
    }
}

/// The right edges of 128 layers of equal area under the normal density, the lowest first, with 0 behind the last.
private enum Ziggurat {
    // Never changed; a pointer spares the millions of draws an array's checks.
    nonisolated(unsafe) static let edges: UnsafePointer<Double> = {
        let start = 3.442619855899, area = 9.91256303526217e-3
        let edges = UnsafeMutablePointer<Double>.allocate(capacity: 129)
        var density = exp(-0.5 * start * start)
        edges[0] = area / density
        edges[1] = start
        for layer in 2..<128 {
            edges[layer] = (-2 * log(area / edges[layer - 1] + density)).squareRoot()
            density = exp(-0.5 * edges[layer] * edges[layer])
        }
        edges[128] = 0
        return UnsafePointer(edges)
    }()
}
