import Files
import SystemPackage

/// What a training run must know, beside its tensors, to go on where it stopped.
package struct CheckpointFacts: Sendable, Equatable {
    /// Optimizer steps done.
    package var step: Int
    /// Images seen by all ranks together: what schedules and the order of samples depend on.
    package var samplesSeen: Int
    package var seed: UInt64
    /// The resolved configuration as text (YAML), for people and for comparison.
    package var configuration: String
    /// What decides which tensors there are, for example `["architecture": "resnet50"]`.
    package var architecture: [String: String]
    /// Further counts to restore, at most `CheckpointManifest.largestCount`.
    package var counters: [String: Int]
    /// By the score's name.
    package var bestScores: [String: BestScore]

    /// The best value of a score so far, and the step that it is of.
    package struct BestScore: Sendable, Equatable {
        package var value: Double
        package var step: Int

        package init(value: Double, step: Int) { (self.value, self.step) = (value, step) }
    }

    package init(
        step: Int, samplesSeen: Int, seed: UInt64, configuration: String = "", architecture: [String: String] = [:],
        counters: [String: Int] = [:], bestScores: [String: BestScore] = [:]
    ) {
        self.step = step
        self.samplesSeen = samplesSeen
        self.seed = seed
        self.configuration = configuration
        self.architecture = architecture
        self.counters = counters
        self.bestScores = bestScores
    }
}

/// The `manifest.json` of a checkpoint: its facts, its shards with size and CRC-32C, and which tensor is in which.
///
/// The last member of the JSON object, `crc32c`, is the checksum of all text before the comma in front of it. It is
/// written last, so a checkpoint whose manifest is valid is complete.
package struct CheckpointManifest: Sendable, Equatable {
    package struct Shard: Sendable, Equatable {
        package let file: String
        package let byteCount: Int
        /// Eight hexadecimal digits.
        package let checksum: String

        package init(file: String, byteCount: Int, checksum: String) {
            (self.file, self.byteCount, self.checksum) = (file, byteCount, checksum)
        }
    }

    package struct StoredTensor: Sendable, Equatable {
        package let name: String
        package let elementType: StoredElementType
        package let shape: [Int]
        /// Index into `shards`.
        package let shard: Int

        package init(name: String, elementType: StoredElementType, shape: [Int], shard: Int) {
            (self.name, self.elementType, self.shape, self.shard) = (name, elementType, shape, shard)
        }
    }

    package static let fileName = "manifest.json"
    static let format = "pixpro-checkpoint"
    static let formatVersion = 1
    /// Larger manifests are refused before they are read.
    static let maximumByteCount = 100_000_000
    /// Steps, images, epochs and bytes that can be added up without a thought.
    static let largestCount = 1 << 53
    static let largestShard = 1 << 42

    package let facts: CheckpointFacts
    package let shards: [Shard]
    package let tensors: [StoredTensor]

    package var byteCount: Int { shards.reduce(0) { $0 + $1.byteCount } }

    // MARK: Writing

    package var encoded: [UInt8] {
        func object(_ members: [String]) -> String {
            members.isEmpty ? "{}" : "{\n    \(members.joined(separator: ",\n    "))\n  }"
        }
        let architecture = facts.architecture.sorted { $0.key < $1.key }
            .map { "\($0.quotedAsJSON): \($1.quotedAsJSON)" }
        let counters = facts.counters.sorted { $0.key < $1.key }.map { "\($0.quotedAsJSON): \($1)" }
        let bestScores = facts.bestScores.sorted { $0.key < $1.key }
            .map { "\($0.quotedAsJSON): {\"value\": \($1.value), \"step\": \($1.step)}" }
        let shardList = shards.map {
            "{\"file\": \($0.file.quotedAsJSON), \"bytes\": \($0.byteCount), \"crc32c\": \($0.checksum.quotedAsJSON)}"
        }
        let tensorList = tensors.map {
            "\($0.name.quotedAsJSON): {\"dtype\": \"\($0.elementType.rawValue)\", \"shape\": \($0.shape), "
                + "\"shard\": \($0.shard)}"
        }
        let body = """
            {
              "format": "\(Self.format)",
              "formatVersion": \(Self.formatVersion),
              "step": \(facts.step),
              "samplesSeen": \(facts.samplesSeen),
              "seed": \(facts.seed),
              "configuration": \(facts.configuration.quotedAsJSON),
              "architecture": \(object(architecture)),
              "counters": \(object(counters)),
              "bestScores": \(object(bestScores)),
              "shards": [\n    \(shardList.joined(separator: ",\n    "))\n  ],
              "tensors": \(object(tensorList))
            """
        return Array(body.utf8) + Self.seal(CRC32C.of(body.utf8))
    }

    /// Returns when the manifest and its name are safe in the checkpoint's directory.
    static func write(
        _ text: [UInt8], into directory: FilePath, _ files: any FileOperations, reached: (SavePoint) -> Void = { _ in }
    ) throws {
        let file = try files.create(directory.appending(fileName))
        try file.append(text)
        reached(.manifestWritten)
        try file.synchronize()
        try file.finish()
        try files.synchronize(directory: directory)
        reached(.manifestSynchronized)
    }

    package static func seal(_ checksum: CRC32C) -> [UInt8] { Array(",\n  \"crc32c\": \"\(checksum.text)\"\n}\n".utf8) }

    // MARK: Reading

    package init(facts: CheckpointFacts, shards: [Shard], tensors: [StoredTensor]) {
        self.facts = facts
        self.shards = shards
        self.tensors = tensors
    }

    /// Reads the text of a manifest; throws when it is not whole and sound.
    package init(_ text: [UInt8]) throws {
        let sealLength = Self.seal(CRC32C()).count
        guard text.count > sealLength else { throw CheckpointError("the manifest is cut short") }
        guard Array(text.suffix(sealLength)) == Self.seal(CRC32C.of(text.dropLast(sealLength))) else {
            throw CheckpointError("the manifest's checksum does not match its text: it was changed or cut short")
        }
        var parsed = Parsed()
        var reader = JSONReader(text)
        try reader.object { try parsed.member(&$0, $1) }
        try reader.end()
        guard parsed.format == Self.format else { throw CheckpointError("the manifest is not of a pixpro checkpoint") }
        guard parsed.version == Self.formatVersion else {
            throw CheckpointError(
                "the manifest has format version \(parsed.version), this program reads \(Self.formatVersion): "
                    + "use the program that wrote it")
        }
        facts = parsed.facts
        shards = parsed.shards
        tensors = parsed.tensors
        for (name, count) in [("step", facts.step), ("samplesSeen", facts.samplesSeen)] + facts.counters.sorted(by: <)
        where !(0...Self.largestCount).contains(count) {
            throw CheckpointError("the manifest has an impossible \(shownText(name)), \(count)")
        }
        for (name, score) in facts.bestScores.sorted(by: { $0.key < $1.key })
        where !score.value.isFinite || !(0...Self.largestCount).contains(score.step) {
            throw CheckpointError("the manifest has an impossible best score, \(shownText(name))")
        }
        guard shards.count <= 1 << 20 else { throw CheckpointError("the manifest names \(shards.count) shards") }
        for shard in shards
        where shard.file.contains("/") || shard.file.isEmpty || !(0...Self.largestShard).contains(shard.byteCount) {
            throw CheckpointError("the manifest names an impossible shard '\(shard.file)'")
        }
        for tensor in tensors where !shards.indices.contains(tensor.shard) {
            throw CheckpointError("the manifest puts '\(tensor.name)' into shard \(tensor.shard), which does not exist")
        }
    }

    private struct Parsed {
        var format = ""
        var version = 0
        var facts = CheckpointFacts(step: 0, samplesSeen: 0, seed: 0)
        var shards: [Shard] = []
        var tensors: [StoredTensor] = []

        mutating func member(_ reader: inout JSONReader, _ key: String) throws {
            switch key {
            case "format": format = try reader.string()
            case "formatVersion": version = try reader.integer()
            case "step": facts.step = try reader.integer()
            case "samplesSeen": facts.samplesSeen = try reader.integer()
            case "seed": facts.seed = try reader.integer()
            case "configuration": facts.configuration = try reader.string()
            case "architecture": try reader.object { facts.architecture[$1] = try $0.string() }
            case "counters": try reader.object { facts.counters[$1] = try $0.integer() }
            case "bestScores": try reader.object { facts.bestScores[$1] = try Self.bestScore(&$0) }
            case "shards": try reader.array { shards.append(try Self.shard(&$0)) }
            case "tensors": try reader.object { tensors.append(try Self.tensor(&$0, name: $1)) }
            default: try reader.skipValue()
            }
        }

        private static func bestScore(_ reader: inout JSONReader) throws -> CheckpointFacts.BestScore {
            var score = CheckpointFacts.BestScore(value: .nan, step: -1)
            try reader.object { reader, key in
                switch key {
                case "value": score.value = try reader.number()
                case "step": score.step = try reader.integer()
                default: try reader.skipValue()
                }
            }
            return score
        }

        private static func shard(_ reader: inout JSONReader) throws -> Shard {
            var file = ""
            var byteCount = -1
            var checksum = ""
            try reader.object { reader, key in
                switch key {
                case "file": file = try reader.string()
                case "bytes": byteCount = try reader.integer()
                case "crc32c": checksum = try reader.string()
                default: try reader.skipValue()
                }
            }
            return Shard(file: file, byteCount: byteCount, checksum: checksum)
        }

        private static func tensor(_ reader: inout JSONReader, name: String) throws -> StoredTensor {
            var elementType: StoredElementType?
            var shape: [Int] = []
            var shard = -1
            try reader.object { reader, key in
                switch key {
                case "dtype": elementType = StoredElementType(rawValue: try reader.string())
                case "shape": try reader.array { shape.append(try $0.integer()) }
                case "shard": shard = try reader.integer()
                default: try reader.skipValue()
                }
            }
            guard let elementType else { throw CheckpointError("the manifest gives '\(name)' no known dtype") }
            return StoredTensor(name: name, elementType: elementType, shape: shape, shard: shard)
        }
    }
}
