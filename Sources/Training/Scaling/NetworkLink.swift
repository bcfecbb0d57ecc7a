import Learning

/// What a message between two ranks takes: a latency, and a time for each byte.
package struct NetworkLink: Sendable, Equatable, Codable {
    /// Seconds.
    package var latency: Double
    /// Bytes a second, in each direction at once.
    package var bandwidth: Double
    /// Seconds of a small message while gradients travel on the same link; they wait in its queue.
    package var loadedLatency: Double

    /// - Parameter loadedLatency: nil for a message that waits behind one of Open MPI's fragments.
    package init(latency: Double, bandwidth: Double, loadedLatency: Double? = nil) {
        (self.latency, self.bandwidth) = (latency, bandwidth)
        self.loadedLatency = loadedLatency ?? latency + Self.fragment / bandwidth
    }

    /// Bytes of `btl_tcp_max_send_size`.
    private static let fragment = 131_072.0

    /// Messages cost nothing.
    package static let ideal = NetworkLink(latency: 0, bandwidth: .infinity)

    /// Seconds of one message.
    package func seconds(bytes: Double) -> Double { latency + bytes / bandwidth }

    /// Fits latency and bandwidth to seconds of messages by least squares of the relative errors, so that small
    /// messages count as much as large ones. Nil for fewer than two sizes, or times that do not grow with them.
    package init?(fitting samples: [(bytes: Double, seconds: Double)], loadedLatency: Double? = nil) {
        // Weights 1/t²: Σ ((a + b n)/t − 1)² is least.
        var (w, wn, wnn, wt, wnt) = (0.0, 0.0, 0.0, 0.0, 0.0)
        for (bytes, seconds) in samples where seconds > 0 {
            let weight = 1 / (seconds * seconds)
            w += weight
            wn += weight * bytes
            wnn += weight * bytes * bytes
            wt += weight * seconds
            wnt += weight * bytes * seconds
        }
        let determinant = w * wnn - wn * wn
        guard determinant > 1e-12 * w * wnn else { return nil }
        let slope = (w * wnt - wn * wt) / determinant
        guard slope > 0, slope.isFinite else { return nil }
        self.init(
            latency: max(0, (wnn * wt - wn * wnt) / determinant), bandwidth: 1 / slope, loadedLatency: loadedLatency)
    }

    /// Reads "25Gbit:2us": bits a second and a latency.
    ///
    /// - Throws: `ScalingError` that says how it is written.
    package init(text: String) throws {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let bits = Self.number(parts[0], ["kbit": 1e3, "mbit": 1e6, "gbit": 1e9]), bits > 0,
            let latency = Self.number(parts[1], ["ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3])
        else {
            throw ScalingError(
                "'\(text)' is no network: write bits a second and a latency, such as 25Gbit:2us or 100Mbit:0.2ms")
        }
        self.init(latency: latency, bandwidth: bits / 8)
    }

    private static func number(_ text: String, _ units: [String: Double]) -> Double? {
        let lower = text.lowercased()
        guard let (unit, factor) = units.first(where: { lower.hasSuffix($0.key) }),
            let value = Double(lower.dropLast(unit.count)), value.isFinite, value >= 0
        else { return nil }
        return value * factor
    }

    /// "25 Gbit/s, 2 µs"
    package var text: String {
        let bits = 8 * bandwidth
        let rate =
            switch bits {
            case .infinity: "no limit"
            case 1e9...: "\(short(bits / 1e9)) Gbit/s"
            default: "\(short(bits / 1e6)) Mbit/s"
            }
        return "\(rate), \(latency >= 1e-3 ? "\(short(1e3 * latency)) ms" : "\(short(1e6 * latency)) µs")"
    }

    private func short(_ value: Double) -> String {
        value == value.rounded() ? "\(Int(value))" : significant(value)
    }
}

/// What a plan is asked for, or made from, makes no sense.
package struct ScalingError: Error, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
