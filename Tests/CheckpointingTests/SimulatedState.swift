import Checkpointing
import TensorCore
import TestSupport
import Testing

/// The state of a run that only exists in tests: a function of the step and of the start in which it was reached, so that
/// anyone can tell what a checkpoint must hold.
enum SimulatedState {
    static func tensors(step: Int, start: Int = 0) -> [NamedTensor] {
        let shapes = [[8, 3], [64], [0, 4], [300]]
        return shapes.enumerated().map { index, shape in
            NamedTensor(
                name: "layer\(index)", tensor: randomTensor(shape, key: UInt64(start * 10_000 + step * 10 + index)))
        } + [NamedTensor(name: "batches", integers: [Int64(step), Int64(start), .max])]
    }

    static func facts(step: Int, start: Int = 0) -> CheckpointFacts {
        CheckpointFacts(
            step: step, samplesSeen: step * 24, seed: 5, counters: start > 0 ? [MemoryStore.startCounter: start] : [:])
    }

    /// The names of what differs from the state that a checkpoint says it holds. Collective.
    static func differences(_ reader: CheckpointReader) throws -> [String] {
        let facts = reader.manifest.facts, start = facts.counters[MemoryStore.startCounter] ?? 0
        let targets = tensors(step: facts.step + 1, start: start)
        try reader.read(into: targets)
        let wrong = zip(targets, tensors(step: facts.step, start: start)).filter { target, expected in
            target.withBytes { target in expected.withBytes { !target.elementsEqual($0) } }
        }.map(\.0.name)
        return wrong + (facts == Self.facts(step: facts.step, start: start) ? [] : ["the facts"])
    }
}
