import Glibc
import MessagePassing
import TensorCore

let threadChecks: [String: Check] = ["threads-refused": refuseThreads]

/// Runs `body` while the process may map no more than `bytes` more than it has: no stack of a thread.
func withMemoryLimit<Value>(_ bytes: Int, _ body: () throws -> Value) throws -> Value {
    let kind = __rlimit_resource_t(RLIMIT_AS.rawValue)
    var before = rlimit()
    try require(getrlimit(kind, &before) == 0, "getrlimit: \(errno)")
    var limit = before
    limit.rlim_cur = rlim_t(try mappedBytes() + bytes)
    try require(setrlimit(kind, &limit) == 0, "setrlimit: \(errno)")
    let value = Result { try body() }
    try require(setrlimit(kind, &before) == 0, "setrlimit: \(errno)")
    return try value.get()
}

private func mappedBytes() throws -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { throw CheckFailure("no /proc/self/statm") }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 200)
    guard fgets(&line, Int32(line.count), file) != nil else { throw CheckFailure("an empty /proc/self/statm") }
    return atol(line) * sysconf(Int32(_SC_PAGESIZE))
}

private func threadCount() throws -> Int {
    guard let folder = opendir("/proc/self/task") else { throw CheckFailure("no /proc/self/task") }
    defer { closedir(folder) }
    var count = -2
    while readdir(folder) != nil { count += 1 }
    return count
}

/// Without memory for their stacks compute threads are refused with what to do, and those that came end again.
private func refuseThreads(_: MPIRuntime, _: [String]) throws {
    let before = try threadCount()
    do {
        _ = try withMemoryLimit(30 << 20) { try ComputeThreads(threads: 64) }
        throw CheckFailure("64 threads in 30 MiB")
    } catch let error where !(error is CheckFailure) {
        let text = "\(error)"
        try require(text.hasPrefix("cannot start the thread 'compute "), text)
        try require(text.contains("Resource temporarily unavailable") && text.contains("parallel.threads"), text)
    }
    for _ in 0..<200 where try threadCount() > before { usleep(10_000) }
    try require(try threadCount() == before, "threads are left")
    var parts = [0, 0, 0]
    let threads = try ComputeThreads(threads: 3)
    parts.withUnsafeMutableBufferPointer { parts in
        // SAFETY: each part has a place of its own.
        let places = parts.baseAddress!
        threads.forEachPart(of: 3) { part, range in places[part] += range.count }
    }
    try require(parts == [1, 1, 1], "\(parts)")
}
