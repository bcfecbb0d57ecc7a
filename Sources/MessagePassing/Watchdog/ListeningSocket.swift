import Glibc

/// A TCP socket that waits for connections on a port of the system's choice.
final class ListeningSocket {
    let descriptor: Int32
    let port: UInt16

    /// At one of this host's addresses, or at all of them; nil where the system grants none.
    init?(address text: String?) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        if let text, inet_pton(AF_INET, text, &address.sin_addr) != 1 { return nil }
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isReady = withUnsafeMutablePointer(to: &address) { [descriptor] in
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 1024) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        guard isReady else {
            close(descriptor)
            return nil
        }
    }

    deinit { close(descriptor) }

    enum Arrival {
        case connection(LineSocket)
        /// Nobody waits.
        case none
        /// Somebody may wait, but the system grants no more connections now.
        case refused
    }

    func accept() -> Arrival {
        let connection = Glibc.accept(descriptor, nil, nil)
        if connection >= 0 { return .connection(LineSocket(connection)) }
        switch errno {
        // Who has given up in the meantime is nobody.
        case EAGAIN, EWOULDBLOCK, ECONNABORTED, EINTR: return .none
        default: return .refused
        }
    }
}
