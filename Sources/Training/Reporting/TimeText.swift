import Glibc

/// Times as people read them.
package enum TimeText {
    /// UTC as 2026-11-24T02:11:24Z.
    package static func utc(_ seconds: Double) -> String {
        var time = time_t(seconds.rounded(.down))
        var parts = tm()
        gmtime_r(&time, &parts)
        func padded(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
            + "T\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))Z"
    }

    /// "45s", "12m", "3h05m", "2d04h".
    package static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "?" }
        let whole = Int(seconds.rounded())
        func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        switch whole {
        case ..<60: return "\(whole)s"
        case ..<600: return "\(whole / 60)m\(padded(whole % 60))s"
        case ..<3600: return "\(whole / 60)m"
        case ..<86400: return "\(whole / 3600)h\(padded(whole / 60 % 60))m"
        default: return "\(whole / 86400)d\(padded(whole / 3600 % 24))h"
        }
    }
}
