import Foundation
import Synchronization
import TestSupport
import Testing
import Threads

@Suite struct ThreadsTests {
    @Test func aThreadHasItsNameAndIsWaitedFor() throws {
        let names = Mutex<[String]>([])
        let threads = try ["loader 1", "a name of more than 15 bytes"].map { name in
            try SystemThread(name) {
                usleep(20_000)
                let shown = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
                names.withLock { $0.append(shown ?? "none") }
            }
        }
        for thread in threads { thread.join() }
        #expect(Set(names.withLock { $0 }) == ["loader 1\n", "a name of more \n"])
    }

    @Test func waitingThreadsAreWokenOncePerChange() throws {
        final class Counter: @unchecked Sendable {
            // @unchecked: `items` and `taken` are only touched under `lock`.
            let lock = Monitor()
            let changed = Monitor.Condition()
            var items = 0
            var taken = 0
        }
        let counter = Counter()
        let takers = try (0..<3).map { number in
            try SystemThread("taker \(number)") {
                for _ in 0..<50 {
                    counter.lock.withLock {
                        counter.lock.wait(for: counter.changed) { counter.items > 0 }
                        counter.items -= 1
                        counter.taken += 1
                    }
                }
            }
        }
        for _ in 0..<150 {
            counter.lock.withLock { counter.items += 1 }
            counter.changed.wakeOne()
        }
        for taker in takers { taker.join() }
        #expect(counter.items == 0 && counter.taken == 150)
    }

    /// A process of its own, because a limit on memory is one for all of its threads.
    @Test func threadsThatTheSystemDoesNotGiveAreAnError() throws {
        let result = try runProcess(
            try MPILauncher.product("rank-checks"), ["threads-refused"], environment: MPILauncher.environment)
        #expect(result.status == 0 && result.output.contains("ok threads-refused"), "\(result)")
    }
}
