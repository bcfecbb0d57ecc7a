import Glibc

/// Round numbers along an axis.
package struct Ticks: Sendable, Equatable {
    package let values: [Double]
    package let labels: [String]

    /// About `count` multiples of 1, 2 or 5 times a power of ten inside `range`.
    package init(_ range: ClosedRange<Double>, count: Int) {
        let step = Ticks.step(range, count: count)
        let first = (range.lowerBound / step - 1e-9).rounded(.up)
        let last = (range.upperBound / step + 1e-9).rounded(.down)
        values = first <= last ? stride(from: first, through: last, by: 1).map { $0 * step } : []
        labels = Ticks.labels(values, step: step)
    }

    /// The distance of neighbouring ticks.
    static func step(_ range: ClosedRange<Double>, count: Int) -> Double {
        let span = max(range.upperBound - range.lowerBound, 1e-12)
        let rough = span / Double(max(1, count))
        let power = pow(10, log10(rough).rounded(.down))
        // The nearest of 1, 2, 5, 10 on a logarithmic scale.
        let mantissa = rough / power
        return power * (mantissa < 1.415 ? 1 : mantissa < 3.163 ? 2 : mantissa < 7.072 ? 5 : 10)
    }

    /// As few digits as tell neighbours apart; thousands as k, millions as M; powers where numbers are tiny.
    private static func labels(_ values: [Double], step: Double) -> [String] {
        let largest = values.map(abs).max() ?? 0
        if largest > 0, largest < 1e-3 {
            return values.map { $0 == 0 ? "0" : exponential($0) }
        }
        let (unit, suffix): (Double, String) =
            largest >= 1e6 ? (1e6, "M") : largest >= 1e4 ? (1e3, "k") : (1, "")
        let digits = max(0, Int((-log10(step / unit) - 1e-9).rounded(.up)))
        return values.map { $0 == 0 ? "0" : fixed($0 / unit, digits: digits) + suffix }
    }

    private static func exponential(_ value: Double) -> String {
        let power = Int(log10(abs(value)).rounded(.down))
        let mantissa = value / pow(10, Double(power))
        let whole = mantissa.rounded()
        return (abs(mantissa - whole) < 1e-6 ? fixed(whole, digits: 0) : fixed(mantissa, digits: 1)) + "e\(power)"
    }

    /// A number with `digits` digits after the point.
    package static func fixed(_ value: Double, digits: Int) -> String {
        guard value.isFinite else { return "\(value)" }
        let scale = pow(10, Double(digits))
        let rounded = (abs(value) * scale).rounded()
        guard rounded < 1e15 else { return "\(value)" }
        let units = Int(rounded)
        let sign = value < 0 && units > 0 ? "-" : ""
        let fraction = String(units % Int(scale))
        return sign + String(units / Int(scale))
            + (digits > 0 ? "." + String(repeating: "0", count: digits - fraction.count) + fraction : "")
    }
}
