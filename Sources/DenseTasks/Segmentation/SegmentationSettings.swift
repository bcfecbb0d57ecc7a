package import ImagePipeline
package import Learning
package import NeuralNetwork
package import SystemPackage
package import TensorCore

/// Everything that decides what a segmenter learns from labelled pictures.
package struct SegmentationSettings: Sendable, Equatable {
    package var model = SegmenterSettings()
    /// A file of weights that a new run begins with.
    package var start: FilePath?
    package var data = LabelledData()
    package var pixels = PixelSettings()
    /// Side of the crops in pixels.
    package var cropSize = 512
    package var augmentation = LabelledAugmentation()
    package var optimizer = FineTuningOptimizer()
    package var evaluation = Evaluation()

    package init() {}

    /// What a segmenter is scored on, and how it looks at it.
    package struct Evaluation: Sendable, Equatable {
        /// Nil: nothing.
        package var validation: LabelledSet?
        /// Enlargement of the pictures.
        package var scale = 1.0
        /// Side of the parts in which a picture is looked at, in pixels that the network sees; nil: at once.
        package var window: Int?
        /// From one part to the next.
        package var windowStep: Int?
        /// Draws of the pictures with replacement that are scored too.
        package var resamples = 0

        package init() {}
    }
}

/// What shapes a segmenter.
package struct SegmenterSettings: Sendable, Equatable {
    package var architecture = ResNetArchitecture.resnet50
    /// Of C5: 8, 16 or 32.
    package var outputStride = OutputStride.sixteen
    package var headChannels = 256
    package var headDilation = 6
    package var trunkStatistics = TrunkStatistics.trained
    /// What maps are stored as in training.
    package var elementType = ElementType.float32

    package init() {}
}

/// Pixels of the image to a cell of C5, each way.
package enum OutputStride: String, Sendable, CaseIterable {
    case eight = "8"
    case sixteen = "16"
    case thirtyTwo = "32"

    package var pixels: Int { Int(rawValue)! }
}

/// Where labelled pictures are, and what their labels mean.
package struct LabelledData: Sendable, Equatable {
    package enum Layout: String, Sendable, CaseIterable {
        /// Pictures and label maps in two folders, paired by name.
        case folders
        /// Pascal VOC's folders and lists.
        case voc
        /// Cityscapes' folders.
        case cityscapes
    }

    package var layout = Layout.folders
    /// Of the pictures that are trained on, which are below the run's root.
    package var labels: FilePath?
    package var list: FilePath?
    /// What names end in before `.jpg` and `.png`.
    package var imageSuffix: FilePath = ""
    package var labelSuffix: FilePath = ""
    /// Nil where the layout says it.
    package var classes: ClassNames?
    package var void: Int? = 255
    /// The share of the pictures whose labels are used.
    package var labelFraction = 1.0

    package init() {}

    /// Those of the layout where it has its own.
    package var classNames: [String]? {
        switch layout {
        case .folders: classes?.names
        case .voc: classes?.names ?? VOC.classNames
        case .cityscapes: classes?.names ?? Cityscapes.classNames
        }
    }
}

/// A part of the labelled pictures.
package struct LabelledSet: Sendable, Equatable {
    /// The folder of pictures; nil: that of the pictures which are trained on.
    package var images: FilePath?
    package var labels: FilePath?
    package var list: FilePath?

    package init() {}
}
