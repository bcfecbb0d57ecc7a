import Glibc
package import TensorCore

/// How often a rank computes longer than usual, and by how much: what makes many ranks slower than one.
///
/// Delays come at a rate per second of computing, whatever is computed: the operating system's noise as Petrini et al.
/// (2003) and Hoefler et al. (2010) describe it. So a short piece of work is delayed seldom, and of a thousand ranks one
/// nearly always is.
package struct DelayRates: Sendable, Equatable, Codable {
    /// Delays of about one length.
    package struct Delay: Sendable, Equatable, Codable {
        /// Their mean.
        package var seconds: Double
        package var count: Int

        package init(seconds: Double, count: Int) { (self.seconds, self.count) = (seconds, count) }
    }

    /// Ascending.
    package let delays: [Delay]
    /// Of computing, in which they were seen.
    package let observedSeconds: Double

    /// Nothing ever comes late.
    package static let none = DelayRates([], observedSeconds: 1)

    /// - Parameter delays: seconds; those within a tenth of each other are kept as one.
    package init(_ delays: [Double], observedSeconds: Double) {
        var kept: [Delay] = [], shortest = 0.0
        for delay in delays.sorted() where delay > Self.least {
            if kept.isEmpty || delay > 1.1 * shortest {
                shortest = delay
                kept.append(Delay(seconds: 0, count: 0))
            }
            let last = kept.count - 1, count = Double(kept[last].count)
            kept[last].seconds = (kept[last].seconds * count + delay) / (count + 1)
            kept[last].count += 1
        }
        (self.delays, self.observedSeconds) = (kept, observedSeconds)
    }

    /// Shorter ones are lost in the clock's own time, in seconds.
    private static let least = 1e-6

    /// Of the time of computing.
    package var share: Double { delays.reduce(0) { $0 + $1.seconds * Double($1.count) } / observedSeconds }

    /// The delays of so many ranks that each compute for so many seconds: a Poisson process over all of them.
    package func draw(
        ranks: Int, seconds: Double, _ generator: inout KeyedGenerator
    ) -> [(rank: Int, seconds: Double)] {
        guard !delays.isEmpty else { return [] }
        let count = delays.reduce(0) { $0 + $1.count }
        var drawn: [(rank: Int, seconds: Double)] = [], time = 0.0
        while true {
            // To the next one of any rank.
            time -= log(1 - Double(generator.uniform())) * observedSeconds / Double(count)
            guard time < Double(ranks) * seconds else { return drawn }
            let rank = min(Int(Double(generator.uniform()) * Double(ranks)), ranks - 1)
            drawn.append((rank, length(Double(generator.uniform()) * Double(count))))
        }
    }

    /// That of so many shorter ones.
    private func length(_ shorter: Double) -> Double {
        var left = shorter
        for delay in delays {
            left -= Double(delay.count)
            if left < 0 { return delay.seconds }
        }
        return delays[delays.count - 1].seconds
    }
}
