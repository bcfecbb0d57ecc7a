package import ImagePipeline
package import Learning
package import SystemPackage
package import TensorCore

/// Everything that decides what pretraining learns from a list of pictures.
package struct PretrainingSettings: Sendable, Equatable {
    package var seed: UInt64 = 1
    package var model = PixelModelSettings()
    /// A file of weights that a new run begins with.
    package var start: FilePath?
    package var pixels = PixelSettings()
    package var views = Views()
    package var optimizer = Optimizer()
    /// Momentum of the momentum encoder at the start.
    package var baseMomentum = 0.99
    package var evaluation = Evaluation()

    package init() {}

    /// For a run of this seed whose maps are of this type, with what is known of its pictures.
    package func prepared(
        seed: Int, elementType: ElementType = .float32, facts: [String: String] = [:]
    ) throws -> PretrainingSettings {
        var settings = self
        settings.pixels = try pixels.resolved(facts)
        settings.seed = UInt64(seed)
        settings.model.elementType = elementType
        return settings
    }

    /// How a picture becomes two views.
    package struct Views: Sendable, Equatable {
        /// Side in pixels.
        package var imageSize = 224
        /// Least area of a crop as a share of the picture.
        package var minimumCrop = 0.08
        package var augmentation = Augmentation()

        package init() {}

        package func transform(
            seed: UInt64, _ normalization: PixelNormalization = .imageNet
        ) -> TwoViewTransform {
            TwoViewTransform(
                imageSize: imageSize, minimumCrop: minimumCrop, augmentation: augmentation, normalization, seed: seed)
        }
    }

    /// How a run makes views.
    var transform: TwoViewTransform { views.transform(seed: seed, pixels.normalization) }

    package enum OptimizerName: String, Sendable, CaseIterable {
        case lars, sgd
    }

    package struct Optimizer: Sendable, Equatable {
        package var name = OptimizerName.lars
        /// At a global batch of 256.
        package var baseLearningRate = 1.0
        package var momentum = 0.9
        package var weightDecay = 1.0e-5
        package var trustCoefficient = 0.001

        package init() {}
    }

    /// What the frozen backbone is scored on.
    package struct Evaluation: Sendable, Equatable {
        package var classification: Classification?
        package var segmentation: Segmentation?
        package var correspondence = true

        package init() {}
    }

    /// Two trees of class folders.
    package struct Classification: Sendable, Equatable {
        package var train: FilePath = ""
        package var validation: FilePath = ""

        package init(train: FilePath = "", validation: FilePath = "") {
            self.train = train
            self.validation = validation
        }
    }

    /// Images and label PNGs of class ids, paired by file name.
    package struct Segmentation: Sendable, Equatable {
        package var train = LabelledImages()
        package var validation = LabelledImages()
        package var classes = 0
        /// The id of pixels that count nowhere.
        package var void: Int? = 255

        package init() {}
    }

    package struct LabelledImages: Sendable, Equatable {
        package var images: FilePath = ""
        package var labels: FilePath = ""

        package init(images: FilePath = "", labels: FilePath = "") {
            self.images = images
            self.labels = labels
        }
    }
}
