import TensorCore

/// How the global batch is dealt to ranks and micro-batches.
public struct BatchPlan: Sendable, Equatable {
    public let ranks: Int
    /// Images of one update over all ranks.
    public let global: Int
    /// Images of one update on each rank.
    public let perRank: Int
    /// Images that a rank holds at once.
    public let microBatch: Int
    /// Peak of the optimiser's learning rate: the linear rule, base rate · global / 256.
    public let learningRate: Double

    /// Micro-batches whose gradients are summed into one update.
    public var accumulation: Int { perRank / microBatch }

    /// Plans for `ranks` ranks.
    ///
    /// - Parameter memoryPerRank: bytes that a rank may use, the smallest of all ranks so that all plan alike; decides
    ///   `batch.microBatch: auto`, the largest divisor of the rank's images whose activations take at most half of what
    ///   weights, gradients, states and a save leave of it.
    /// - Throws: `ConfigurationError` where the batch cannot be divided.
    public init(configuration: RunConfiguration, ranks: Int, memoryPerRank: Int = PhysicalMemory.assumed) throws {
        precondition(ranks >= 1, "\(ranks) ranks")
        self.ranks = ranks
        let batch = configuration.batch
        switch batch.size {
        case .global(let images):
            guard images.isMultiple(of: ranks) else {
                throw Self.indivisible("batch.global", images, by: ranks, "ranks")
            }
            (global, perRank) = (images, images / ranks)
        case .perRank(let images):
            (global, perRank) = (images * ranks, images)
        }
        if let count = batch.microBatch.count {
            microBatch = min(count, perRank)
            let images = perRank
            guard images.isMultiple(of: microBatch) else {
                let divisors = Self.divisors(of: images, around: count)
                throw ConfigurationError([
                    .init(
                        "batch.microBatch",
                        "\(images) images per rank cannot be divided into micro-batches of \(count)",
                        remedy: "set batch.microBatch to \(divisors) or auto")
                ])
            }
        } else {
            let weights = configuration.memory(
                parameters: configuration.parameterCount, microBatch: 0, elementType: .float32)
            let limit = max(1, (memoryPerRank - weights) / 2 / configuration.activationBytesPerImage)
            let images = perRank
            microBatch = (1...min(limit, images)).last { images.isMultiple(of: $0) } ?? 1
        }
        learningRate = configuration.optimizer.baseLearningRate * Double(global) / 256
    }

    /// The most of `available` ranks that the batch can be planned for.
    public static func mostRanks(_ configuration: RunConfiguration, available: Int) throws -> Int {
        var ranks = available
        if case .global(let images) = configuration.batch.size {
            ranks =
                stride(from: min(available, images), to: 1, by: -1).first { ranks in
                    let perRank = images / ranks, microBatch = configuration.batch.microBatch.count ?? 1
                    return images.isMultiple(of: ranks) && perRank.isMultiple(of: min(microBatch, perRank))
                } ?? 1
        }
        return try BatchPlan(configuration: configuration, ranks: ranks).ranks
    }

    private static func indivisible(_ key: String, _ images: Int, by ranks: Int, _ what: String) -> ConfigurationError {
        let below = images / ranks * ranks
        let batches = nearest(below > 0 ? below : nil, below + ranks)
        return ConfigurationError([
            .init(
                key, "\(images) images cannot be divided by \(ranks) \(what)",
                remedy: "set \(key) to \(batches), or start \(divisors(of: images, around: ranks)) \(what)")
        ])
    }

    /// The divisors of `images` nearest to `value`, which is none, below and above, as text.
    private static func divisors(of images: Int, around value: Int) -> String {
        let below = stride(from: min(value, images), to: 0, by: -1).first(where: images.isMultiple(of:))
        let above = value < images ? (value...images).first(where: images.isMultiple(of:)) : nil
        return nearest(below, above)
    }

    private static func nearest(_ below: Int?, _ above: Int?) -> String {
        [below, above].compactMap { $0.map(String.init) }.joined(separator: " or ")
    }
}

extension RunConfiguration {
    /// About what one image (two views, one after the other) takes in float32 activations during a step, in bytes:
    /// the outputs of all convolutions and normalisations, half as much again for gradients on their way.
    var activationBytesPerImage: Int {
        let millionBytesAt224 =
            switch model.architecture {
            case .tiny: 1
            case .resnet18: 40
            case .resnet34: 60
            case .resnet50: 150
            case .resnet101: 230
            case .resnet152: 320
            }
        return max(1, millionBytesAt224 * 1_000_000 * data.imageSize * data.imageSize / (224 * 224))
    }

    /// Parameters that are trained: those of the backbone without its classifier, the projector and the propagation.
    package var parameterCount: Int {
        let backbone =
            switch model.architecture {
            case .tiny: 20_052
            case .resnet18: 11_176_512
            case .resnet34: 21_284_672
            case .resnet50: 23_508_032
            case .resnet101: 42_500_160
            case .resnet152: 58_143_808
            }
        let settings = pixProSettings, width = settings.projectorWidth, outputs = settings.projectionChannels
        let projector = (settings.architecture.outputChannels + 1 + 2) * width + (width + 1) * outputs
        let propagation = (outputs + 1) * outputs * settings.transformLayers
        return backbone + projector + propagation + (settings.transformLayers == 2 ? 2 * outputs : 0)
    }

    /// About what training takes on each rank, in bytes.
    ///
    /// Each parameter takes 40: its weight and the weight's moving average, gradient and velocity, kernels packed for
    /// products, and a copy while a checkpoint is written (measured on ResNet-18 and ResNet-50). The libraries take 100 MB.
    package func memory(parameters: Int, microBatch: Int, elementType: ElementType) -> Int {
        let images = activationBytesPerImage / (elementType == .bfloat16 ? 2 : 1) * microBatch
        return 100_000_000 + 40 * parameters + images
    }
}
