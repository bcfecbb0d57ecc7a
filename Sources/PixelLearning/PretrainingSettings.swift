import ImagePipeline
import TensorCore

/// Everything that decides what pretraining learns from a list of pictures.
public struct PretrainingSettings: Sendable, Equatable {
    public var seed: UInt64 = 1
    public var model = PixelModelSettings()
    public var views = Views()
    public var optimizer = Optimizer()
    /// Momentum of the momentum encoder at the start.
    public var baseMomentum = 0.99
    public var evaluation = Evaluation()

    public init() {}

    /// For a run of this seed whose maps are of this type.
    public func prepared(seed: Int, elementType: ElementType = .float32) -> PretrainingSettings {
        var settings = self
        settings.seed = UInt64(seed)
        settings.model.elementType = elementType
        return settings
    }

    /// How a picture becomes two views.
    public struct Views: Sendable, Equatable {
        /// Side in pixels.
        public var imageSize = 224
        /// Least area of a crop as a share of the picture.
        public var minimumCrop = 0.08
        public var augmentation = Augmentation()

        public init() {}

        public func transform(seed: UInt64) -> TwoViewTransform {
            TwoViewTransform(imageSize: imageSize, minimumCrop: minimumCrop, augmentation: augmentation, seed: seed)
        }
    }

    public enum OptimizerName: String, Sendable, CaseIterable {
        case lars, sgd
    }

    public struct Optimizer: Sendable, Equatable {
        public var name = OptimizerName.lars
        /// At a global batch of 256.
        public var baseLearningRate = 1.0
        public var momentum = 0.9
        public var weightDecay = 1.0e-5
        public var trustCoefficient = 0.001

        public init() {}
    }

    /// What the frozen backbone is scored on.
    public struct Evaluation: Sendable, Equatable {
        public var classification: Classification?
        public var segmentation: Segmentation?
        public var correspondence = true

        public init() {}
    }

    /// Two trees of class folders.
    public struct Classification: Sendable, Equatable {
        public var train = ""
        public var validation = ""

        public init(train: String = "", validation: String = "") {
            self.train = train
            self.validation = validation
        }
    }

    /// Images and label PNGs of class ids, paired by file name.
    public struct Segmentation: Sendable, Equatable {
        public var train = LabelledImages()
        public var validation = LabelledImages()
        public var classes = 0
        /// The id of pixels that count nowhere.
        public var void: Int? = 255

        public init() {}
    }

    public struct LabelledImages: Sendable, Equatable {
        public var images = ""
        public var labels = ""

        public init(images: String = "", labels: String = "") {
            self.images = images
            self.labels = labels
        }
    }
}
