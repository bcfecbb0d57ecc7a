import Drawing
import Glibc

/// A number with `digits` digits after the point.
package func fixed(_ value: Double, digits: Int) -> String { Ticks.fixed(value, digits: digits) }

/// A number with three significant digits, such as 0.0312, 16.2, 1240 or 1.25e-5.
package func significant(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return fixed(value, digits: 0) }
    let power = Int(log10(abs(value)).rounded(.down))
    if power < -3 {
        return fixed(value / pow(10, Double(power)), digits: 2) + "e\(power)"
    }
    return fixed(value, digits: max(0, 2 - power))
}

/// "1 core", "3 cores".
package func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
