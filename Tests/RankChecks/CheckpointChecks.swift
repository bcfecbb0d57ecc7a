import Checkpointing
import Glibc
import MessagePassing
import Synchronization
import SystemPackage
import TensorCore

let checkpointChecks: [String: Check] = [
    "save": saveSteps,
    "load": loadNewest,
    "load-late": loadLate,
    "load-each": loadEach,
    "load-nothing": { runtime, arguments in
        for directory in arguments {
            let reader = try CheckpointReader.openNewest(
                runDirectory: FilePath(directory), communicator: runtime.world, report: { print($0) })
            try require(reader == nil, "found \(reader!.directory)")
        }
    },
    "load-other-model": loadOtherModel,
    "save-killed": saveKilled,
    "save-limited": saveLimited,
    "save-unwritable": saveUnwritable,
    "save-without-thread": saveWithoutThread,
    "asynchronous": saveAsynchronously,
    "copies": saveCopyingOnce,
    "save-seconds": saveWhileBusy,
    "commit-beside": commitBeside,
]

/// A small model's state, a function of the step, so that any program can tell what a checkpoint must hold.
private func makeState(step: Int) -> [NamedTensor] {
    let shapes = [[64, 7, 7, 3], [64], [1000, 33], [1], [300, 300], [0, 4], [17], [2, 1, 5], [128, 64]]
    var state = shapes.enumerated().map { index, shape in
        var generator = KeyedGenerator(UInt64(step), UInt64(index))
        let tensor = Tensor(shape)
        for element in tensor.floats.indices {
            tensor.floats[element] = Float(bitPattern: UInt32(generator.next() >> 32))
        }
        return NamedTensor(name: "encoder.layer\(index).weight", tensor: tensor)
    }
    state.append(NamedTensor(name: "encoder.batches", integers: [Int64(step), -1, Int64.max]))
    return state
}

private func makeFacts(step: Int) -> CheckpointFacts {
    CheckpointFacts(
        step: step, samplesSeen: step * 24, seed: .max - 3, configuration: "run: {seed: \"1\\2\"}\nü: 1\n",
        architecture: ["architecture": "resnet18"], counters: ["epoch": step / 10])
}

private func makeSaver(
    _ runtime: MPIRuntime, _ directory: String, keep: Int = 3, observer: @escaping SaveObserver = { _, _ in }
) throws -> CheckpointSaver {
    try CheckpointSaver(
        runDirectory: FilePath(directory), communicator: runtime.world, keep: keep, visibilityLimit: 1,
        observer: observer)
}

private func save(_ step: Int, with saver: CheckpointSaver) throws -> SaveOutcome {
    saver.beginSave(makeState(step: step).map { SavedTensor($0) }, facts: makeFacts(step: step))
    guard let outcome = try saver.finishSave() else { throw CheckFailure("no outcome") }
    return outcome
}

/// Compares what a reader gives with the state of its step, bit by bit, on every rank.
private func compare(_ reader: CheckpointReader, _ runtime: MPIRuntime) throws {
    let step = reader.manifest.facts.step
    try require(reader.manifest.facts == makeFacts(step: step), "facts \(reader.manifest.facts)")
    let targets = makeState(step: step + 1000)
    try reader.read(into: targets)
    let all = try reader.readAll()
    try runtime.world.agree(on: "comparing step \(step)") {
        for (target, expected) in zip(targets, makeState(step: step)) {
            let bytes = expected.withBytes { Array($0) }
            try require(target.withBytes { Array($0) } == bytes, "\(target.name) differs")
            try require(all[target.name]!.withBytes { Array($0) } == bytes, "\(target.name) differs")
        }
    }
}

/// DIRECTORY KEEP STEP…: saves each step.
private func saveSteps(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    let saver = try makeSaver(runtime, arguments[0], keep: Int(arguments[1])!)
    for step in arguments.dropFirst(2).map({ Int($0)! }) {
        guard case .committed(let directory, let byteCount, let seconds, let warnings) = try save(step, with: saver)
        else {
            throw CheckFailure("not committed")
        }
        for warning in warnings { print(warning) }
        try require(warnings.allSatisfy { $0.contains("damaged") } && seconds > 0 && !saver.isSaving, "\(warnings)")
        if runtime.world.isRoot {
            let manifest = try CheckpointCatalog.verify(directory)
            try require(manifest.byteCount == byteCount && manifest.shards.count == runtime.world.size, "\(manifest)")
        }
    }
}

/// DIRECTORY STEP…: the newest sound checkpoint of each directory is that of its step, with the right contents.
private func loadNewest(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    for start in stride(from: 0, to: arguments.count, by: 2) {
        try loadNewest(runtime, FilePath(arguments[start]), step: Int(arguments[start + 1])!, visibilityLimit: 1)
    }
}

private func loadNewest(_ runtime: MPIRuntime, _ directory: FilePath, step: Int, visibilityLimit: Double) throws {
    let found = try CheckpointReader.openNewest(
        runDirectory: directory, communicator: runtime.world, visibilityLimit: visibilityLimit, report: { print($0) })
    guard let reader = found else { throw CheckFailure("no checkpoint in \(directory)") }
    try require(reader.manifest.facts.step == step, "\(directory): step \(reader.manifest.facts.step)")
    try compare(reader, runtime)
}

/// DIRECTORY STEP FILE:BYTES…: as `load`, again and again, while FILE of that checkpoint is shown late: for a second
/// there are BYTES of it, or for 0 nothing.
private func loadLate(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    let directory = FilePath(arguments[0]), step = Int(arguments[1])!
    for lateness in arguments.dropFirst(2) {
        let parts = lateness.split(separator: ":")
        let file = CheckpointCatalog.directory(runDirectory: directory, step: step).appending(String(parts[0]))
        if runtime.world.isRoot {
            let begin = parts[1] == "0" ? "true" : "head -c \(parts[1]) '\(file).late' > '\(file)'"
            try require(system("mv '\(file)' '\(file).late' && \(begin)") == 0, "cannot hide \(file)")
        }
        try runtime.world.barrier("hiding a file")
        let start = ContinuousClock.now
        let mover = runtime.world.isRoot ? popen("sleep 1; mv '\(file).late' '\(file)'", "r") : nil
        defer { if let mover { pclose(mover) } }
        try loadNewest(runtime, directory, step: step, visibilityLimit: CheckpointReader.visibilityLimit)
        let elapsed = ContinuousClock.now - start
        try require(elapsed > .seconds(0.9) && elapsed < .seconds(8), "loaded after \(elapsed)")
    }
}

/// DIRECTORY…, in each of which a process died while step 20 was saved after step 10: step 20 loads if it got its name,
/// else step 10, and a new saver removes what is unfinished and saves step 30.
private func loadEach(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    for directory in arguments {
        let expected = access(directory + "/checkpoints/step-00000020", F_OK) == 0 ? 20 : 10
        let found = try CheckpointReader.openNewest(
            runDirectory: FilePath(directory), communicator: runtime.world, report: { print($0) })
        guard let reader = found else { throw CheckFailure("no checkpoint in \(directory)") }
        try require(reader.manifest.facts.step == expected, "\(directory): step \(reader.manifest.facts.step)")
        try compare(reader, runtime)
        guard case .committed = try save(30, with: makeSaver(runtime, directory)) else {
            throw CheckFailure("\(directory): cannot save again")
        }
        let names = try CheckpointCatalog.list(runDirectory: FilePath(directory)).map(\.step)
        try require(names.first == 30, "\(directory): \(names)")
        if runtime.world.isRoot { print("\(directory) resumed from \(expected)") }
    }
}

private func loadOtherModel(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    let reader = try CheckpointReader.openNewest(
        runDirectory: FilePath(arguments[0]), communicator: runtime.world, report: { print($0) })!
    let one = [NamedTensor(name: "encoder.layer1.weight", tensor: Tensor([64]))]
    try reader.read(into: one, partially: true)
    try require(one[0].floats!.count == 64, "a part")
    try reader.read(into: one + [NamedTensor(name: "encoder.layer2.weight", tensor: Tensor([2, 2]))])
}

/// DIRECTORY POINT RANK: saves step 10, then kills RANK at POINT of saving step 20.
private func saveKilled(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    let victim = Int(arguments[2])!
    let point = SavePoint(rawValue: Int(arguments[1])!)!
    _ = try save(10, with: try makeSaver(runtime, arguments[0], keep: 1))
    let saver = try makeSaver(runtime, arguments[0], keep: 1) {
        if $0 == point && $1 == victim { kill(getpid(), SIGKILL) }
    }
    _ = try save(20, with: saver)
    try runtime.world.barrier("leaving the check")
    throw CheckFailure("rank \(victim) never reached \(point)")
}

/// DIRECTORY: the last rank may not write large files: the save fails everywhere, the next one works.
private func saveLimited(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    let saver = try makeSaver(runtime, arguments[0])
    guard case .committed = try save(10, with: saver) else { throw CheckFailure("step 10") }
    var limit = rlimit()
    try require(getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0, "getrlimit: \(errno)")
    let unlimited = limit
    if runtime.world.rank == runtime.world.size - 1 {
        limit.rlim_cur = 10_000
        try require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0, "setrlimit: \(errno)")
    }
    guard case .failed(let text) = try save(20, with: saver) else { throw CheckFailure("step 20 did not fail") }
    try require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), [unlimited]) == 0, "setrlimit: \(errno)")
    if runtime.world.isRoot { print(text) }
    try require(
        text.contains("rank \(runtime.world.size - 1): ") && text.contains("File too large")
            && text.contains("step-00000020.partial/shard-"), text)
    try require(try CheckpointCatalog.list(runDirectory: FilePath(arguments[0])).map(\.step) == [10], "step 10 is gone")
    try require(access(arguments[0] + "/checkpoints/step-00000020.partial", F_OK) != 0, "left-over directory")
    guard case .committed = try save(30, with: saver) else { throw CheckFailure("step 30") }
}

/// DIRECTORY: the last rank gets no thread to write its shard: the save fails everywhere, the next one works.
private func saveWithoutThread(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    let last = runtime.world.size - 1
    let saver = try makeSaver(runtime, arguments[0])
    let begin = { saver.beginSave(makeState(step: 10).map { SavedTensor($0) }, facts: makeFacts(step: 10)) }
    // Room for the copies of its share, but not for a stack of 8 MiB.
    if runtime.world.rank == last { try withMemoryLimit(6 << 20, begin) } else { begin() }
    guard case .failed(let text) = try saver.finishSave() else { throw CheckFailure("step 10 did not fail") }
    try require(text.contains("rank \(last): cannot start the thread 'save'"), text)
    guard case .committed = try save(20, with: saver) else { throw CheckFailure("step 20") }
}

/// DIRECTORY: a full or read-only file system; the failure is an outcome that names it.
private func saveUnwritable(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    let saver = try makeSaver(runtime, arguments[0])
    var failure: String?
    for step in 1...50 where failure == nil {
        if case .failed(let text) = try save(step, with: saver) { failure = text }
    }
    guard let failure else { throw CheckFailure("never full") }
    if runtime.world.isRoot { print(failure) }
    try require(failure.contains("No space left on device"), failure)
    let newest = try CheckpointCatalog.list(runDirectory: FilePath(arguments[0]))
    try require(!newest.isEmpty && newest.allSatisfy(\.isValid), "nothing left")
}

/// DIRECTORY: what is saved is the state at `beginSave`, whatever training does to it while a slow disk is busy.
private func saveAsynchronously(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    let saver = try makeSaver(runtime, arguments[0]) { point, rank in
        if point == .shardCreated && rank == 0 { usleep(200_000) }
    }
    let state = makeState(step: 10)
    saver.beginSave(state.map { SavedTensor($0) }, facts: makeFacts(step: 10))
    for tensor in state { tensor.withMutableBytes { _ = $0.initializeMemory(as: UInt8.self, repeating: 0xAB) } }
    var polls = 0
    var outcome: SaveOutcome?
    while outcome == nil {
        try require(saver.isSaving, "not saving")
        outcome = try saver.poll()
        polls += 1
        usleep(10_000)
    }
    guard case .committed(let directory, _, _, _) = outcome else { throw CheckFailure("\(outcome!)") }
    try require(polls > 3 && !saver.isSaving, "\(polls) polls")
    let none = try saver.finishSave()
    try require(none == nil, "an outcome without a save")
    try compare(try CheckpointReader.open(directory: directory, communicator: runtime.world), runtime)
}

/// DIRECTORY: every tensor is copied once, by the rank that saves it.
private func saveCopyingOnce(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    let saver = try makeSaver(runtime, arguments[0])
    var copies = 0
    let state = makeState(step: 10)
    saver.beginSave(
        state.map { tensor in
            SavedTensor(name: tensor.name, elementType: tensor.elementType, shape: tensor.shape, isCopied: true) {
                copies += 1
                return tensor.renamed(tensor.name)
            }
        }, facts: makeFacts(step: 10))
    let all = try runtime.world.allGather([copies]).map { $0[0] }
    try require(
        all.reduce(0, +) == state.count && all.allSatisfy { $0 > 0 }, "copies by rank: \(all) of \(state.count)")
    guard case .committed(let directory, _, _, _) = try saver.finishSave() else { throw CheckFailure("not committed") }
    try compare(try CheckpointReader.open(directory: directory, communicator: runtime.world), runtime)
}

/// DIRECTORY: the time of a save is its own, however long the ranks do other things before they ask for its outcome.
private func saveWhileBusy(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    let saver = try makeSaver(runtime, arguments[0]) { point, rank in
        if point == .shardCreated && rank == runtime.world.size - 1 { usleep(300_000) }
    }
    saver.beginSave(makeState(step: 10).map { SavedTensor($0) }, facts: makeFacts(step: 10))
    sleep(3)
    guard case .committed(_, _, let seconds, _) = try saver.finishSave() else { throw CheckFailure("not committed") }
    try require((0.3...2).contains(seconds), "\(seconds) s")
}

/// DIRECTORY: while rank zero's disk takes its time over a commit, all ranks go on; a save of the next step waits for it.
private func commitBeside(_ runtime: MPIRuntime, _ arguments: [String]) throws {
    let isCommitting = Atomic(false), mayGoOn = Atomic(false)
    let saver = try makeSaver(runtime, arguments[0]) { point, _ in
        guard point == .manifestWritten else { return }
        isCommitting.store(true, ordering: .releasing)
        while !mayGoOn.load(ordering: .acquiring) { usleep(1_000) }
    }
    saver.beginSave(makeState(step: 10).map { SavedTensor($0) }, facts: makeFacts(step: 10))
    for step in 0..<1_000_000 {
        let outcome = try saver.poll()
        try require(outcome == nil && saver.isSaving, "an outcome while the disk is busy")
        let isSeen = try runtime.world.maximum([isCommitting.load(ordering: .acquiring) ? 1 : 0])[0] == 1
        if isSeen && step >= 5 { break }
        usleep(1_000)
    }
    // So far the checkpoint is not there.
    try require(try CheckpointCatalog.list(runDirectory: FilePath(arguments[0])).isEmpty, "a name before its time")
    try runtime.world.barrier("looking")
    mayGoOn.store(true, ordering: .releasing)
    guard case .committed = try saver.finishSave() else { throw CheckFailure("not committed") }
    guard case .committed = try save(20, with: saver) else { throw CheckFailure("step 20") }
}
