package import Learning
package import SystemPackage

/// Everything that decides what a detector learns from annotated pictures.
package struct DetectionSettings: Sendable, Equatable {
    /// Its number of classes is that of the annotations' categories.
    package var model = DetectorSettings()
    /// A file of weights that a new run begins with.
    package var start: FilePath?
    package var data = Data()
    package var pixels = PixelSettings()
    package var views = DetectionViews()
    package var optimizer = FineTuningOptimizer()
    package var rule = DetectionRule(.fcos)
    /// What is scored; nil for nothing.
    package var validation: Validation?
    /// Draws of the pictures with replacement that are scored too.
    package var resamples = 0

    package init() {}

    /// How annotations are written.
    package enum Format: String, Sendable, CaseIterable {
        case coco, voc, yolo
    }

    package struct Data: Sendable, Equatable {
        package var format = Format.coco
        /// COCO's file, YOLO's folder of texts, or VOC's list of names, without which every annotation counts.
        package var annotations: FilePath?
        /// The share of the pictures that is used.
        package var labelFraction = 1.0

        package init() {}
    }

    /// Another part of the pictures.
    package struct Validation: Sendable, Equatable {
        /// Nil: the run's own folder.
        package var images: FilePath?
        package var annotations: FilePath?

        package init() {}
    }

    /// - Parameter folder: of pictures; of VOC the one that holds `JPEGImages` and `Annotations`.
    func source(_ folder: FilePath, _ annotations: FilePath?) -> AnnotationSource {
        switch data.format {
        case .coco: .coco(file: annotations ?? "", pictures: folder)
        case .voc: .voc(root: folder, list: annotations)
        case .yolo: .yolo(pictures: folder, labels: annotations ?? "", names: nil)
        }
    }
}
