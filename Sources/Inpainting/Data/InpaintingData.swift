package import ImagePipeline
package import Settings
package import SystemPackage

/// What an inpainter learns from: squares of pictures, and where holes come from.
package struct InpaintingData: Sendable, Equatable {
    package enum Holes: String, Sendable, CaseIterable {
        /// Boxes of half the sides.
        case rectangles
        /// Free forms, drawn.
        case strokes
        /// Free forms, from files.
        case files
    }

    /// Side of the squares in pixels.
    package var imageSize = 256
    package var view = SquareView.crop
    /// Probability of exchanging left and right.
    package var flip = 0.0
    package var holes = Holes.rectangles
    /// Of `files`: a folder of masks.
    package var masks: FilePath?

    package init() {}

    /// What holes of training look like.
    package var form: HoleForm { holes == .rectangles ? .rectangle : .free }
}

/// What an inpainter is scored on.
package struct InpaintingEvaluation: Sendable, Equatable {
    /// A folder of pictures that are not trained on; nil: nothing is scored.
    package var images: FilePath?
    /// A mask for each of them by its name; nil: a hole is drawn for each, always the same.
    package var masks: FilePath?
    /// The most pictures that are scored, evenly spread over the folder.
    package var limit = 200
    /// Of these so many are shown side by side.
    package var shown = 4

    package init() {}
}

extension SquareView: ChoiceValue {}
extension InpaintingData.Holes: ChoiceValue {}

extension InpaintingData {
    package static let schema = Schema<InpaintingData>(
        sections: [],
        settings: [
            Setting(
                "data.imageSize", \.imageSize, in: .within(64...2048), onResume: .mustMatch,
                synonyms: ["size", "cropSize", "imgShapes"],
                "Side in pixels of the squares that are trained on; a multiple of 8."),
            Setting(
                "data.view", \.view, onResume: .changesTraining, synonyms: ["randomCrop", "resize"],
                "A window at the picture's own resolution (crop), or its largest square, resized (whole)."),
            Setting(
                "data.flip", \.flip, in: .within(0...1), onResume: .changesTraining, synonyms: ["hflip"],
                "Probability of exchanging left and right."),
            Setting(
                "data.holes", \.holes, onResume: .changesTraining, synonyms: ["maskType", "maskShapes"],
                "Boxes of half the sides (rectangles), free forms drawn by chance (strokes), or data.masks (files)."),
            Setting(
                "data.masks", \.masks, onResume: .changesTraining, synonyms: ["maskDir", "maskFolder"],
                "Folder of masks, white where a hole is; one is drawn by chance for each picture."),
        ])

    /// What the keys say together.
    package func contradictions(place: (String) -> String) -> [ConfigurationError.Problem] {
        var problems: [ConfigurationError.Problem] = []
        if !imageSize.isMultiple(of: 8) {
            problems.append(
                .init(
                    place("data.imageSize"),
                    "data.imageSize \(imageSize) is no multiple of 8, by which the generator's maps are smaller",
                    remedy: "set it to \(imageSize / 8 * 8) or \(imageSize / 8 * 8 + 8)"))
        }
        if holes == .files, masks == nil {
            problems.append(
                .init(
                    place("data.holes"), "data.holes is files, but data.masks is not set",
                    remedy: "name the folder of masks"))
        } else if holes != .files, masks != nil {
            problems.append(
                .init(
                    place("data.masks"), "data.masks is set, but data.holes is \(holes.rawValue), which draws holes",
                    remedy: "set data.holes to files, or leave data.masks out"))
        }
        return problems
    }
}

extension InpaintingEvaluation {
    package static let schema = Schema<InpaintingEvaluation>(
        sections: [],
        settings: [
            Setting(
                "evaluation.images", \.images, synonyms: ["validation"],
                "Folder of pictures that are scored; null: none."),
            Setting(
                "evaluation.masks", \.masks,
                "A mask for each of them by its name, or one for all; null: a hole is drawn for each."),
            Setting(
                "evaluation.limit", \.limit, in: .within(1...1_000_000),
                "The most pictures that are scored, spread over the folder."),
            Setting(
                "evaluation.shown", \.shown, in: .within(0...64),
                "Of these so many are shown: the truth, the input, the coarse proposal, the result and its attention."),
        ])

    package func contradictions(place: (String) -> String) -> [ConfigurationError.Problem] {
        guard images == nil, masks != nil else { return [] }
        return [
            .init(
                place("evaluation.masks"), "evaluation.masks is set, but no evaluation.images that they would be of",
                remedy: "name the folder of pictures")
        ]
    }
}
