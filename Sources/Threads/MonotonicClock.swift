import Glibc

/// Time that only ever grows, and pauses in it: the system's, or a simulation's.
package protocol MonotonicClock: Sendable {
    /// Seconds since a moment of the past.
    var seconds: Double { get }

    /// Returns after so many seconds.
    func pause(seconds: Double)
}

package struct SystemClock: MonotonicClock {
    package init() {}

    package var seconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    package func pause(seconds: Double) { usleep(useconds_t(seconds * 1e6)) }
}
