import Checkpointing
import Testing

@Suite struct ManifestTests {
    @Test func theBestScoresReadBack() throws {
        let best = [
            "a \"b\"": CheckpointFacts.BestScore(value: -1.25e-7, step: 0), "knn": .init(value: 1.0 / 3, step: 9),
        ]
        let facts = CheckpointFacts(step: 9, samplesSeen: 72, seed: 1, bestScores: best)
        let manifest = CheckpointManifest(facts: facts, shards: [], tensors: [])
        #expect(try CheckpointManifest(manifest.encoded).facts == facts)
    }

    /// A manifest with a right checksum may still hold any number.
    @Test(arguments: [Int.max, .min, -1, 1 << 60]) func numbersThatNothingCountsAreRefused(_ number: Int) {
        func refusal(_ change: (inout CheckpointFacts) -> Void, bytes: Int = 9) -> String {
            var facts = CheckpointFacts(step: 1, samplesSeen: 8, seed: 1, counters: ["epoch": 1])
            change(&facts)
            let shards = ["a", "b"].map { CheckpointManifest.Shard(file: $0, byteCount: bytes, checksum: "00000000") }
            do {
                return
                    "\(try CheckpointManifest(CheckpointManifest(facts: facts, shards: shards, tensors: []).encoded).byteCount)"
            } catch {
                return "\(error)"
            }
        }
        #expect(refusal { _ in } == "18")
        #expect(refusal { $0.step = number }.contains("an impossible step, \(number)"))
        #expect(refusal { $0.samplesSeen = number }.contains("an impossible samplesSeen, \(number)"))
        #expect(refusal { $0.counters["epoch"] = number }.contains("an impossible epoch, \(number)"))
        #expect(
            refusal { $0.bestScores["knn"] = .init(value: 0.5, step: number) }.contains("an impossible best score, knn")
        )
        #expect(refusal({ _ in }, bytes: number).contains("an impossible shard 'a'"))
    }
}
