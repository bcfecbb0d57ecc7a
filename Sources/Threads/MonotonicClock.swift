import Glibc

/// Time that only ever grows, and pauses in it: the system's, or a simulation's.
public protocol MonotonicClock: Sendable {
    /// Seconds since a moment of the past.
    var seconds: Double { get }

    /// Returns after so many seconds.
    func pause(seconds: Double)
}

public struct SystemClock: MonotonicClock {
    public init() {}

    public var seconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    public func pause(seconds: Double) { usleep(useconds_t(seconds * 1e6)) }
}
