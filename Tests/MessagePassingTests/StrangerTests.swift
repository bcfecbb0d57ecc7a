import Foundation
import MessagePassing
import Synchronization
import Testing

/// Whoever finds the watchdog's port and is no rank costs it next to nothing.
@Suite(.serialized) struct StrangerTests {
    /// A server that hears until the test is over, of ranks on two hosts.
    private final class Server: Sendable {
        let invitation: String
        private let strangers = Mutex((now: 0, most: 0)), ranks = Mutex<Set<Int>>([])
        private let isOver = Atomic(false), hasEnded = DispatchSemaphore(value: 0)

        var strangerCount: Int { strangers.withLock { $0.now } }
        var mostStrangers: Int { strangers.withLock { $0.most } }
        var heardRanks: Set<Int> { ranks.withLock { $0 } }

        init(hosts: [String], secondsForStrangers: Double) throws {
            let server = try #require(HeartbeatServer(hosts: hosts, secondsForStrangers: secondsForStrangers))
            invitation = server.invitation
            Thread.detachNewThread { [self] in
                while !isOver.load(ordering: .relaxed) {
                    server.hear(StrangerTests.heartbeat(0), seconds: 0.05)
                    strangers.withLock { $0 = (server.strangerCount, max($0.most, server.strangerCount)) }
                    ranks.withLock { $0 = Set(server.table.heardRanks) }
                }
                hasEnded.signal()
            }
        }

        func end() {
            isOver.store(true, ordering: .relaxed)
            hasEnded.wait()
        }
    }

    private static func heartbeat(_ rank: Int) -> Heartbeat {
        Heartbeat(rank: rank, host: "node", phase: .step, detail: "", seconds: 0, isExpired: false, positions: [])
    }

    /// Connections to the first address that the server invites to; each says `words`.
    private func connect(_ count: Int, to invitation: String, saying words: String = "") throws -> [Int32] {
        let place = try #require(invitation.split(separator: " ").dropFirst().first).split(separator: ":")
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = try #require(UInt16(place[1])).bigEndian
        try #require(inet_pton(AF_INET, String(place[0]), &address.sin_addr) == 1)
        return try (0..<count).map { number in
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            try #require(descriptor >= 0, "socket \(number)")
            let code = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            try #require(code == 0, "connection \(number)")
            if !words.isEmpty { _ = send(descriptor, words, words.utf8.count, Int32(MSG_NOSIGNAL)) }
            return descriptor
        }
    }

    private func holds(within seconds: Double, _ condition: () -> Bool) -> Bool {
        let deadline = Date() + seconds
        while !condition() {
            guard Date() < deadline else { return false }
            usleep(20_000)
        }
        return true
    }

    @Test func threeThousandSilentConnectionsAreFewAndForSeconds() throws {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = min(limit.rlim_max, 8192)
        try #require(limit.rlim_cur >= 4096 && setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        let server = try Server(hosts: ["a", "b", "b"], secondsForStrangers: 1)
        defer { server.end() }
        let early = try #require(HeartbeatClient(invitation: server.invitation, rank: 1))
        let silent = try connect(3000, to: server.invitation)
        defer { for descriptor in silent { close(descriptor) } }
        // A rank gets in beside them, and the one before them is heard on.
        let late = try #require(HeartbeatClient(invitation: server.invitation, rank: 2))
        for (rank, client) in [(1, early), (2, late)] { #expect(client.beat(Self.heartbeat(rank), seconds: 0) == nil) }
        #expect(holds(within: 60) { server.heardRanks == [0, 1, 2] })
        #expect(server.mostStrangers <= HeartbeatServer.strangerLimit)
        #expect(holds(within: 60) { server.strangerCount == 0 })
        #expect(early.beat(Self.heartbeat(1), seconds: 0) == nil)
    }

    @Test(arguments: ["GET / HTTP/1.1\r\n\r\n", "hello 0 1\n", "farewell\n", String(repeating: "x", count: 5000)])
    func nonsenseIsNotListenedTo(_ words: String) throws {
        // A stranger that kept silent would stay as long as this test may last.
        let server = try Server(hosts: ["a", "a"], secondsForStrangers: 1000)
        defer { server.end() }
        let strangers = try connect(5, to: server.invitation, saying: words)
        defer { for descriptor in strangers { close(descriptor) } }
        // Each is hung up on for what it says.
        for descriptor in strangers {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            #expect(poll(&entry, 1, 60_000) == 1)
        }
        #expect(holds(within: 60) { server.strangerCount == 0 && server.heardRanks == [0] })
    }

    @Test func aRankMustBeOneOfTheJob() throws {
        let server = try Server(hosts: ["a", "a"], secondsForStrangers: 60)
        defer { server.end() }
        #expect(HeartbeatClient(invitation: server.invitation, rank: 7) == nil)
        #expect(HeartbeatClient(invitation: server.invitation, rank: 1) != nil)
    }

    @Test func onlyWhereMPIIsToldToTalkIsListened() {
        let interfaces = [
            ("lo", "127.0.0.1"), ("eth0", "192.168.7.2"), ("ib0", "10.1.255.3"), ("ib1", "10.2.0.3"),
        ].map { HostAddresses.Interface(name: $0, address: $1) }
        func addresses(_ networks: String?, alone: Bool = false) -> HostAddresses {
            HostAddresses(interfaces, ranksAreHere: alone, networks: networks)
        }
        for networks in [nil, "eth0", "10.0.0.0/8"] {
            let here = addresses(networks, alone: true)
            #expect(here.addresses == ["127.0.0.1"] && here.isExclusive)
        }
        let all = addresses(nil)
        #expect(all.addresses == ["192.168.7.2", "10.1.255.3", "10.2.0.3", "127.0.0.1"] && !all.isExclusive)
        for (networks, expected) in [
            ("eth0", ["192.168.7.2"]), ("10.1.0.0/16", ["10.1.255.3"]), ("10.0.0.0/8", ["10.1.255.3", "10.2.0.3"]),
            ("ib1,eth0", ["192.168.7.2", "10.2.0.3"]), ("192.168.7.2", ["192.168.7.2"]),
            ("0.0.0.0/0,x", ["127.0.0.1", "192.168.7.2", "10.1.255.3", "10.2.0.3"]),
        ] {
            let chosen = addresses(networks)
            #expect(chosen.addresses == expected && chosen.isExclusive, "\(networks)")
        }
        // What names nothing here leaves all.
        for networks in ["eth9", "172.16.0.0/12", "10.1.0.0/40", ""] {
            #expect(addresses(networks).addresses == all.addresses, "\(networks)")
        }
    }
}
