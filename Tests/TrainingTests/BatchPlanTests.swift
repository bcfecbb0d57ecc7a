import Foundation
import NeuralNetwork
import PixelLearning
import TensorCore
import Testing
import Training

@Suite struct BatchPlanTests {
    @Test func theGlobalBatchIsDealtToRanks() throws {
        let configuration = try parse("batch: {global: 1024, microBatch: 64}")
        let plan = try BatchPlan(configuration: configuration, ranks: 4)
        #expect(plan.global == 1024)
        #expect(plan.perRank == 256)
        #expect(plan.microBatch == 64)
        #expect(plan.accumulation == 4)
        #expect(plan.learningRate == 4)
    }

    @Test func perRankGrowsWithTheRanks() throws {
        let plan = try BatchPlan(configuration: try parse("batch: {perRank: 32}"), ranks: 3)
        #expect(plan.global == 96)
        #expect(plan.learningRate == 0.375)
    }

    @Test func autoHoldsWhatFitsInHalfTheMemoryThatWeightsLeave() throws {
        // ResNet-50 at 224: 33 million parameters take 1.42 GB, an image 150 MB.
        let configuration = try parse("batch: {global: 120}")
        #expect(try BatchPlan(configuration: configuration, ranks: 1, memoryPerRank: 3_000_000_000).microBatch == 5)
        #expect(try BatchPlan(configuration: configuration, ranks: 1, memoryPerRank: 4_500_000_000).microBatch == 10)
        #expect(try BatchPlan(configuration: configuration, ranks: 1, memoryPerRank: 1000).microBatch == 1)
        #expect(try BatchPlan(configuration: configuration, ranks: 1, memoryPerRank: 1 << 40).microBatch == 120)
        #expect(try BatchPlan(configuration: try parse("batch: {perRank: 4, microBatch: 9}"), ranks: 1).microBatch == 4)
    }

    @Test(arguments: ["tiny", "resnet18", "resnet50"], [0, 1, 2])
    func parametersAreCountedBeforeThereIsAModel(_ architecture: String, layers: Int) throws {
        var settings = PixProSettings()
        settings.architecture = try #require(ResNetArchitecture(rawValue: architecture))
        (settings.projectorWidth, settings.transformLayers) = (32, layers)
        let model = PixPro(settings, seed: 1)
        var configuration = RunConfiguration()
        configuration.model.architecture = settings.architecture
        (configuration.model.projectorWidth, configuration.method.transformLayers) = (32, layers)
        #expect(configuration.parameterCount == model.online.parameters.reduce(0) { $0 + $1.value.count })
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
        let bytes = Double(configuration.memory(parameters: parameters, microBatch: images, elementType: type))
        #expect(abs(bytes / 1e9 / peak - 1) < 0.1, "\(bytes)")
    }

    @Test func anIndivisibleBatchNamesWhatWouldDo() throws {
        let global = #expect(throws: ConfigurationError.self) {
            try BatchPlan(configuration: try parse("batch: {global: 1000}"), ranks: 3)
        }
        #expect(
            global?.description == "batch.global: 1000 images cannot be divided by 3 ranks\n"
                + "  set batch.global to 999 or 1002, or start 2 or 4 ranks")
        let micro = #expect(throws: ConfigurationError.self) {
            try BatchPlan(configuration: try parse("batch: {global: 24, microBatch: 5}"), ranks: 2)
        }
        #expect(micro?.description.contains("set batch.microBatch to 4 or 6 or auto") == true)
    }
}
