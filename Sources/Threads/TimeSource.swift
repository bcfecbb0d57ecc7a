import Glibc

/// Time and pauses in it: the system's, or a simulation's.
package protocol TimeSource: Sendable {
    /// Seconds since a moment of the past, which only ever grow.
    var monotonic: Double { get }
    /// Seconds since 1970.
    var wall: Double { get }

    /// Returns after so many seconds.
    func pause(seconds: Double)
}

package struct SystemClock: TimeSource {
    package init() {}

    package var monotonic: Double { seconds(CLOCK_MONOTONIC) }
    package var wall: Double { seconds(CLOCK_REALTIME) }

    package func pause(seconds: Double) { usleep(useconds_t(seconds * 1e6)) }

    private func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
