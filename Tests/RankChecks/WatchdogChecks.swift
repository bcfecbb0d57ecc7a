import Glibc
import MessagePassing
import SystemPackage

let watchdogChecks: [String: Check] = [
    "hang": hang,
    "other-order": { runtime, _ in
        // Ranks that reach different collectives: with the check an error, without it a hang.
        try runtime.world.checkOrder()
        let gradients = try runtime.world.duplicated(name: "gradients")
        if runtime.world.rank == 1 {
            try gradients.barrier("saving step 3")
        } else {
            _ = try gradients.sum([1.0, 2.0])
        }
    },
    "same-order": { runtime, _ in
        try runtime.world.checkOrder()
        let side = try runtime.world.duplicated(name: "side")
        for _ in 0..<20 {
            _ = try side.sum([1.0, 2.0])
            _ = try side.allGather("rank \(runtime.world.rank * 1000)")
            _ = try side.broadcast("text")
        }
        try side.free()
    },
]

/// KIND LIMIT SILENCE DIRECTORY: one rank does not come to the collective that the others are in.
private func hang(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    let world = runtime.world
    var limits = WatchdogLimits()
    limits.step = Double(arguments[1])!
    limits.silence = Double(arguments[2])!
    runtime.watchdog.configure(limits, reports: FilePath(arguments[3]))
    let gradients = try world.duplicated(name: "gradients")
    for step in 1...5 {
        runtime.watchdog.begin(.step, "step \(step)")
        _ = try gradients.sum([1.0])
    }
    runtime.watchdog.begin(.step, "step 6")
    switch (arguments[0], world.rank) {
    case ("stopped", world.size - 1), ("root-stopped", 0): raise(SIGSTOP)
    case ("busy", world.size - 1): while true { sleep(1) }
    case ("slow", world.size - 1):
        // Slower than the limit, but with progress.
        for _ in 0..<8 {
            usleep(500_000)
            runtime.watchdog.advance()
        }
    case ("slow", _): runtime.watchdog.begin(.other)
    default: break
    }
    _ = try gradients.sum([1.0, 2.0])
    print("all came")
}
