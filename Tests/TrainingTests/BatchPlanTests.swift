import Checkpointing
import DataParallel
import Files
import Foundation
import NeuralNetwork
import PixelLearning
import Settings
import SystemPackage
import TensorCore
import TestSupport
import Testing
import Training

@Suite struct BatchPlanTests {
    @Test func theGlobalBatchIsDealtToRanks() throws {
        let plan = try BatchPlan(configuration: try parse("batch: {global: 1024, microBatch: 64}"), ranks: 4)
        #expect(plan == BatchPlan(global: 1024, ranks: 4, microBatches: 4))
        #expect(plan.images(ofMicroBatch: 1, rank: 2) == 256 + 128..<256 + 192)
        #expect(plan.summary == "4 ranks × 64 images × 4 micro-batches = global batch 1024")
    }

    @Test(arguments: [(24, 5, 1), (25, 4, 1), (25, 3, 2), (25, 2, 2), (7, 7, 1), (1, 1, 1), (31, 4, 3)])
    func partsAreContiguousAndDifferByOne(_ global: Int, _ ranks: Int, _ microBatches: Int) {
        let plan = BatchPlan(global: global, ranks: ranks, microBatches: microBatches)
        var images: [Int] = []
        for micro in 0..<microBatches {
            let parts = (0..<ranks).map { plan.images(ofMicroBatch: micro, rank: $0) }
            #expect(parts.map(\.count).max()! - parts.map(\.count).min()! <= 1 && parts.allSatisfy { !$0.isEmpty })
            #expect(parts.flatMap { $0 } == Array(plan.images(ofMicroBatch: micro)))
            images += plan.images(ofMicroBatch: micro)
        }
        #expect(images == Array(0..<global))
    }

    @Test func theLauncherStartsNoMoreRanksThanAKeptMicroBatchHasImages() throws {
        let configuration = try parse("batch: {global: 24}")
        #expect(try BatchPlan.mostRanks(configuration, available: 30) == 24)
        #expect(try BatchPlan.mostRanks(configuration, available: 30, microBatches: 2) == 12)
        #expect(try BatchPlan.mostRanks(configuration, available: 7, microBatches: 2) == 7)
        #expect(try BatchPlan.mostRanks(configuration, available: 30, microBatches: 5) == 4)
        #expect(try BatchPlan.mostRanks(try parse("batch: {perRank: 3}"), available: 9, microBatches: 2) == 9)
    }

    @Test func aRunsMicroBatchesAreKeptUntilTheirKeyIsSetAnew() throws {
        try withTemporaryDirectory { folder in
            var configuration = try parse("batch: {global: 24, microBatch: 12}", ["run.directory=\(folder)"])
            #expect(try configuration.microBatchesKept() == nil)
            let directory = CheckpointCatalog.directory(runDirectory: FilePath(folder), step: 5)
            try FileSystem.makeDirectories(directory)
            let facts = CheckpointFacts(
                step: 5, samplesSeen: 120, seed: 1, configuration: configuration.yaml(), counters: ["microBatches": 2])
            try WholeFile.write(
                CheckpointManifest(facts: facts, shards: [], tensors: []).encoded,
                to: directory.appending(CheckpointManifest.fileName))
            #expect(try configuration.microBatchesKept() == 2)
            configuration.batch.microBatch = .count(24)
            #expect(try configuration.microBatchesKept() == nil)
            configuration.batch.microBatch = .count(12)
            configuration.checkpoint.resume = .never
            #expect(try configuration.microBatchesKept() == nil)
        }
    }

    @Test func perRankGrowsWithTheRanks() throws {
        #expect(try BatchPlan(configuration: try parse("batch: {perRank: 32}"), ranks: 3).global == 96)
    }

    @Test func autoHoldsWhatFitsInHalfTheMemoryThatWeightsLeave() throws {
        // ResNet-50 at 224: 33 million parameters take 1.42 GB, an image 150 MB.
        let configuration = try parse("batch: {global: 120}")
        func atOnce(_ configuration: RunConfiguration, ranks: Int = 1, _ memory: Int) throws -> Int {
            try BatchPlan(configuration: configuration, ranks: ranks, memoryPerRank: memory).mostImagesAtOnce
        }
        #expect(try atOnce(configuration, 3_000_000_000) == 5)
        #expect(try atOnce(configuration, 4_500_000_000) == 10)
        #expect(try atOnce(configuration, 1000) == 1)
        #expect(try atOnce(configuration, 1 << 40) == 120)
        #expect(try atOnce(configuration, ranks: 31, 1000) == 2)  // 3 micro-batches of 40
        #expect(try atOnce(try parse("batch: {perRank: 4, microBatch: 9}"), 1 << 40) == 4)
        #expect(try atOnce(try parse("batch: {global: 24, microBatch: 5}"), ranks: 2, 1 << 40) == 4)
    }

    @Test(arguments: ["tiny", "resnet18", "resnet50"], [0, 1, 2])
    func parametersAreCountedBeforeThereIsAModel(_ architecture: String, layers: Int) throws {
        var settings = PixelModelSettings()
        settings.architecture = try #require(ResNetArchitecture(rawValue: architecture))
        (settings.projectorWidth, settings.transformLayers) = (32, layers)
        let model = PixelModel(settings, seed: 1)
        var configuration = RunConfiguration()
        configuration.pretraining.model.architecture = settings.architecture
        (configuration.pretraining.model.projectorWidth, configuration.pretraining.model.transformLayers) = (32, layers)
        #expect(configuration.task.parameterCount == model.online.parameters.reduce(0) { $0 + $1.value.count })
    }

    @Test func aSystemThatDoesNotTellItsMemoryIsTakenForACommonOne() {
        #expect(PhysicalMemory.byteCount(pages: 1 << 20, pageSize: 4096) == 1 << 32)
        for (pages, size) in [(-1, 4096), (1 << 20, -1), (0, 4096), (.max, 4096)] {
            #expect(PhysicalMemory.byteCount(pages: pages, pageSize: size) == PhysicalMemory.assumed)
        }
        #expect(PhysicalMemory.byteCount >= 64 << 20)
    }

    /// Beside peaks of runs that saved a checkpoint, in GB.
    @Test(arguments: [
        ("resnet18", 64, 24, ElementType.float32, 11_291_904, 0.645), ("resnet50", 224, 6, .float32, 33_023_552, 2.42),
        ("resnet50", 224, 6, .bfloat16, 33_023_552, 1.93),
    ])
    func memoryIsEstimatedToATenth(
        _ architecture: String, _ size: Int, _ images: Int, _ type: ElementType, _ parameters: Int, _ peak: Double
    ) throws {
        let configuration = try parse("model: {architecture: \(architecture)}\ndata: {imageSize: \(size)}")
        let bytes = Double(configuration.memory(parameters: parameters, imagesAtOnce: images, elementType: type))
        #expect(abs(bytes / 1e9 / peak - 1) < 0.1, "\(bytes)")
    }

    @Test func passesAreInterleavedWhereMemoryHoldsThem() throws {
        func interleaves(_ passes: String, ranks: Int = 4, gigabytes: Int = 64) throws -> Bool {
            let configuration = try parse("batch: {global: 64}\nparallel: {passes: \(passes)}")
            return configuration.interleavesPasses(
                try BatchPlan(configuration: configuration, ranks: ranks, microBatches: 1), elementType: .float32,
                memoryPerRank: gigabytes << 30)
        }
        #expect(try interleaves("auto") && interleaves("interleaved"))
        #expect(try !interleaves("inTurn") && !interleaves("auto", ranks: 1) && !interleaves("interleaved", ranks: 1))
        // 16 images of 224 px in both views take some 7 GB, of which half the memory is to be left.
        #expect(try !interleaves("auto", gigabytes: 8) && interleaves("interleaved", gigabytes: 8))
        let configuration = try parse("parallel: {passes: inTurn}")
        let image = configuration.task.activationBytesPerImage
        func memory(_ interleavesPasses: Bool) -> Int {
            configuration.memory(
                parameters: 1000, imagesAtOnce: 3, elementType: .float32, interleavesPasses: interleavesPasses)
        }
        #expect(memory(true) - memory(false) == 3 * image)
    }

    @Test func aRunThatGoesOnKeepsItsMicroBatches() throws {
        let configuration = try parse("batch: {global: 24, microBatch: 12}")
        #expect(try BatchPlan(configuration: configuration, ranks: 3).microBatches == 1)
        #expect(try BatchPlan(configuration: configuration, ranks: 3, microBatches: 2).mostImagesAtOnce == 4)
    }

    @Test func moreRanksThanImagesNamesWhatWouldDo() throws {
        let global = #expect(throws: ConfigurationError.self) {
            try BatchPlan(configuration: try parse("batch: {global: 3}"), ranks: 4)
        }
        #expect(
            global?.description == "batch.global: 3 images are fewer than 4 ranks\n"
                + "  set batch.global to 4 or more, or start at most 3 ranks")
        let configuration = try parse("batch: {global: 25, microBatch: 1}")
        let micro = #expect(throws: ConfigurationError.self) { try BatchPlan(configuration: configuration, ranks: 4) }
        #expect(
            micro?.description == "batch.microBatch: 25 images in 7 micro-batches leave 3 for 4 ranks in one of them\n"
                + "  set batch.microBatch to 2 or more, batch.global to 28 or more, or start at most 1 ranks")
        // What it proposes works.
        #expect(
            try BatchPlan(configuration: try parse("batch: {global: 25, microBatch: 2}"), ranks: 4).microBatches == 4)
        #expect(
            try BatchPlan(configuration: try parse("batch: {global: 28, microBatch: 1}"), ranks: 4).microBatches == 7)
    }
}
