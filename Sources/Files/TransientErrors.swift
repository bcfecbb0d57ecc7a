import Glibc

/// Patience with network file systems and disks that fail for a moment.
package enum TransientErrors {
    /// Errors that may be gone a moment later; of a damaged disk `EIO` stays.
    static let codes: Set<Int32> = [EIO, ESTALE, ETIMEDOUT, EREMOTEIO, ECONNRESET]
    /// Seconds before each further try: 3.1 in all.
    static let pauses = [0.1, 0.2, 0.4, 0.8, 1.6]

    /// Does `body` again where it fails with such an error; the last failure is thrown.
    package static func retry<Value>(_ body: (_ isFirst: Bool) throws -> Value) throws -> Value {
        for (attempt, pause) in pauses.enumerated() {
            do { return try body(attempt == 0) } catch let error as FileError {
                guard let code = error.code, codes.contains(code) else { throw error }
                usleep(useconds_t(pause * 1e6))
            }
        }
        return try body(false)
    }
}
