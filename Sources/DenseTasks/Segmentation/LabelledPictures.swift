package import Evaluation
import Files
package import ImagePipeline
package import Learning
import MessagePassing
import SystemPackage

/// The pictures that a segmenter is trained on, with their label maps, the same on every rank.
package struct LabelledPictures: TrainingPictures {
    /// Where they are.
    let root: FilePath
    /// See `PictureRoots`.
    let advance: () throws -> Void
    package let folder: SegmentationFolder
    package let scheme: LabelScheme
    package let classNames: [String]
    /// Pictures whose labels are used. Where that is a share of all, `folder` has each of them several times, so that an
    /// epoch, and with it the schedule, is as long as of all.
    package let labelled: Int
    package let notes: [String]

    package var index: ImageIndex { folder.index }

    /// Rank zero lists the folders, all ranks share the looks at the label maps. Collective.
    package init(_ settings: SegmentationSettings, _ roots: PictureRoots) throws {
        let data = settings.data
        guard roots.paths.count == 1, let root = roots.paths.first else {
            throw LabelError(
                "segmentation takes one folder of pictures, whose labels are in another: data.roots has "
                    + "\(roots.paths.count)")
        }
        (self.root, advance) = (root, roots.advance)
        let names = try data.knownClassNames
        classNames = names
        let scheme = LabelScheme(classes: names.count, void: data.void)
        self.scheme = scheme
        let all = try SegmentationFolder.shared(roots.communicator) {
            try SegmentationFolder(data, images: root, labels: data.labels, list: data.list, isTraining: true)
        }
        let survey = try LabelSurvey(all, "training", scheme, roots.communicator, advance: roots.advance)
        let places = try roots.communicator.agree(on: "choosing labelled pictures") {
            data.labelFraction == 1
                ? Array(0..<all.count)
                : try LabelFraction.places(
                    data.labelFraction, names: (0..<all.count).map(all.name), classes: survey.classes,
                    classNames: names, seed: UInt64(roots.seed))
        }
        labelled = places.count
        folder = all.picking((0..<all.count).map { places[$0 % places.count] })
        notes =
            [
                survey.note,
                places.count < all.count
                    ? "labels of \(places.count) of \(all.count) pictures are used; an epoch is as long as of all"
                    : nil,
            ].compactMap { $0 }
    }
}

/// Labelled pictures that cannot be used as they are; thrown alike on every rank.
package struct LabelError: SharedError, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

extension LabelledData {
    /// Throws where neither layout nor user say them.
    var knownClassNames: [String] {
        get throws {
            guard let classNames else {
                throw LabelError("set data.classes to the number of classes, or to their names")
            }
            return classNames
        }
    }
}

extension SegmentationFolder {
    /// A part of the pictures in the layout that the settings name.
    init(
        _ data: LabelledData, images: FilePath, labels: FilePath?, list: FilePath?, isTraining: Bool
    ) throws {
        let section = isTraining ? "data" : "evaluation"
        switch data.layout {
        case .voc:
            try self.init(
                voc: images, list: list?.text ?? (isTraining ? "train" : "val"),
                labels: labels?.text ?? "SegmentationClass")
        case .cityscapes:
            try self.init(cityscapes: images, split: list?.text ?? (isTraining ? "train" : "val"))
        case .folders:
            guard let labels else {
                throw LabelError("set \(section).labels to the folder of the label PNGs of \(images.shown)")
            }
            let names = try list.map { list in
                let names = Set(try FileList.names(list))
                guard !names.isEmpty else { throw FileError(path: list, reason: "names no picture") }
                return names
            }
            self = try SegmentationFolder(
                images: images, labels: labels, imageSuffix: data.imageSuffix.text, labelSuffix: data.labelSuffix.text
            ) { name, stem in names.map { $0.contains(name) || $0.contains(stem) } ?? true }
            if let list, let names { try checkAll(names, of: list) }
        }
    }

    /// Throws where a list names a picture, with or without its ending, that is not there.
    private func checkAll(_ names: Set<FilePath>, of list: FilePath) throws {
        let found = Set((0..<count).map { index.name(of: $0) })
        let stems = Set(found.map(\.withoutEnding))
        guard let missing = names.subtracting(found).subtracting(stems).min(by: { $0.string < $1.string }) else {
            return
        }
        throw LabelError("\(list.shown) names \(missing.shown), which is not among the pictures")
    }
}

/// A look at every label map of a set: what is wrong is found before anything long begins.
struct LabelSurvey {
    /// Of all maps, by the 256 ids.
    let pixels: [Int]
    /// Of each picture, ascending.
    let classes: [[Int]]
    /// What a user must know of them.
    let note: String?

    /// Each rank looks at a part. Collective; throws the same error on all ranks.
    ///
    /// - Parameter part: what the set is for: "training" or "validation".
    init(
        _ folder: SegmentationFolder, _ part: String, _ scheme: LabelScheme, _ communicator: any Collective,
        advance: () throws -> Void
    ) throws {
        var pixels = [Int64](repeating: 0, count: 256), seen: [[Int]] = []
        try communicator.agree(on: "reading the label maps") {
            for place in communicator.slice(of: Array(0..<folder.count)) {
                try advance()
                var counts = [Int64](repeating: 0, count: 256)
                // A picture that cannot be read is none: another takes its place, and it is named then.
                do {
                    for id in try folder.labels(of: place, classes: scheme.classes, void: scheme.void).ids {
                        counts[Int(id)] += 1
                    }
                } catch is ImageError {}
                for id in 0..<256 { pixels[id] += counts[id] }
                seen.append((0..<scheme.classes).filter { counts[$0] > 0 && $0 != scheme.void })
            }
        }
        self.pixels = try communicator.sum(pixels).map { Int($0) }
        classes = try communicator.gathered(seen)
        let counts = LabelCounts(part: part, ids: self.pixels, scheme: scheme)
        try communicator.agree(on: "checking the labels of \(part)") { try counts.check() }
        note = counts.note
    }
}
