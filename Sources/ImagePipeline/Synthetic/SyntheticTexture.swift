import Glibc
import TensorCore

/// A pattern of two colours; what tells the classes of drawn pictures apart.
enum SyntheticTexture: String, CaseIterable, Sendable {
    case stripes, checks, dots, targets, bricks, zigzag, grid, blotches, scales, crosses

    /// Whether a point has the second colour; the pattern repeats after about one in both directions.
    func covers(_ x: Double, _ y: Double, _ blotches: SyntheticBlotches) -> Bool {
        switch self {
        case .stripes: return sin(2 * .pi * x) > 0
        case .checks: return sin(1.3 * .pi * x) * sin(1.3 * .pi * y) > 0
        case .dots:
            let (u, v) = Self.staggered(1.1 * x, 1.1 * y)
            return u * u + (v - 0.5) * (v - 0.5) < 0.09
        case .targets:
            let u = Self.fraction(x / 2.4) - 0.5, v = Self.fraction(y / 2.4) - 0.5
            return sin(6.4 * .pi * (u * u + v * v).squareRoot()) > 0
        case .bricks:
            let (u, v) = Self.staggered(x / 2, y)
            return u + 0.5 < 0.1 || v < 0.2
        case .zigzag: return sin(2 * .pi * (y + 2 * abs(Self.fraction(x / 2.2) - 0.5))) > 0
        case .grid: return Self.fraction(x) < 0.18 || Self.fraction(y) < 0.18
        case .blotches: return blotches.height(x, y) > 0
        case .scales:
            let (u, v) = Self.staggered(x, y)
            return 0.42...0.62 ~= (u * u + v * v).squareRoot()
        case .crosses:
            let u = abs(Self.fraction(x) - 0.5), v = abs(Self.fraction(y) - 0.5)
            return min(u, v) < 0.12 && max(u, v) < 0.4
        }
    }

    /// Where a point lies in a row of cells, from the middle (-0.5..<0.5) and from the row's edge (0..<1); every other row
    /// is moved by half a cell.
    private static func staggered(_ x: Double, _ y: Double) -> (Double, Double) {
        let row = y.rounded(.down)
        return (fraction(x + row / 2) - 0.5, y - row)
    }

    private static func fraction(_ value: Double) -> Double { value - value.rounded(.down) }
}

/// A landscape of waves in all directions whose zero line surrounds blotches.
struct SyntheticBlotches: Sendable {
    private let waves: [(x: Double, y: Double, phase: Double)]

    init(_ generator: inout KeyedGenerator) {
        waves = (0..<14).map { _ in
            let angle = generator.uniform(0, 2 * .pi), frequency = 2 * .pi * generator.uniform(0.5, 0.9)
            return (frequency * cos(angle), frequency * sin(angle), generator.uniform(0, 2 * .pi))
        }
    }

    func height(_ x: Double, _ y: Double) -> Double {
        waves.reduce(0) { $0 + cos($1.x * x + $1.y * y + $1.phase) }
    }
}
