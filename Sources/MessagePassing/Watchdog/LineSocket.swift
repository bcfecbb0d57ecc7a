import Glibc

/// A connected TCP socket that sends and receives lines without ever blocking.
final class LineSocket {
    let descriptor: Int32
    private var incoming: [UInt8] = []
    /// What one call receives into: kept, because a heartbeat comes every moment.
    private var piece = [UInt8](repeating: 0, count: 4096)
    private var outgoing: [UInt8] = []
    private(set) var isClosed = false

    /// What a rank says of itself.
    static let longestHeartbeat = 1 << 16
    /// Longer lines are not ours: the connection is closed. A stranger has but its name to say.
    var longestLine = 128

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    }

    deinit { close(descriptor) }

    /// Whether a line sent earlier has not left yet.
    var isBusy: Bool { !outgoing.isEmpty }

    /// Hangs up: nothing more is sent or heard.
    func shut() { isClosed = true }

    func send(_ line: String) {
        outgoing += Array(line.utf8) + [UInt8(ascii: "\n")]
        flush()
    }

    func flush() {
        while !outgoing.isEmpty && !isClosed {
            let count = outgoing.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 && errno == EINTR { continue }
            if count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) { return }
            guard count > 0 else {
                isClosed = true
                return
            }
            outgoing.removeFirst(count)
        }
    }

    /// The lines that have arrived, of at most a long line and a piece; an end of the connection shows in `isClosed`.
    func receive() -> [String] {
        while !isClosed && incoming.count <= longestLine {
            let count = recv(descriptor, &piece, piece.count, 0)
            if count < 0 && errno == EINTR { continue }
            if count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) { break }
            guard count > 0 else {
                isClosed = true
                break
            }
            incoming += piece[..<count]
        }
        var lines: [String] = []
        while let end = incoming.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(String(decoding: incoming[..<end], as: UTF8.self))
            incoming.removeSubrange(...end)
        }
        if incoming.count > longestLine { isClosed = true }
        return lines
    }

    /// Returns once something may be read, or after `seconds`.
    func wait(seconds: Double) {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        poll(&entry, 1, Int32(seconds * 1000))
    }

    /// Connects to an IPv4 address within `seconds`; nil where nobody answers there.
    static func connect(to address: String, port: UInt16, seconds: Double) -> LineSocket? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        let result = LineSocket(descriptor)
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port.bigEndian
        guard inet_pton(AF_INET, address, &target.sin_addr) == 1 else { return nil }
        let code = withUnsafePointer(to: &target) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code != 0 {
            guard errno == EINPROGRESS else { return nil }
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, Int32(seconds * 1000)) == 1 else { return nil }
            var failure: Int32 = 0
            var length = socklen_t(4)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length)
            guard failure == 0 else { return nil }
        }
        return result
    }
}
