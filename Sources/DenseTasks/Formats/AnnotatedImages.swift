import Files
package import ImagePipeline
package import MessagePassing
package import SystemPackage

/// A set of annotated pictures: what detectors are trained and scored on, the same on every rank.
package struct AnnotatedImages: Sendable, Equatable {
    package let folder: FilePath
    package let categories: [AnnotatedCategory]
    /// Ascending by number. Pictures without objects stay: they teach what is background.
    package let images: [AnnotatedImage]
    package let damage: AnnotationDamage

    /// More pictures than this share missing or unreadable are an error.
    package static let mostLost = 0.01

    /// Rank zero reads the annotations, all ranks share the looks at the pictures, and each makes the same set. Collective.
    ///
    /// - Parameter categories: those of the set that was trained on, by whose places objects are numbered, so that the
    ///   sets belong together; nil takes the annotations' own.
    /// - Parameter advance: called after each picture; what it throws ends it.
    package init(
        _ source: AnnotationSource, categories: [AnnotatedCategory]? = nil, communicator: any Collective,
        advance: () throws -> Void = {}
    ) throws {
        let packed = try communicator.agree(on: "reading annotations") {
            communicator.isRoot ? try source.read(categories: categories, advance: advance).packed : []
        }
        let written = try WrittenAnnotations(packed: try communicator.broadcast(packed))
        let count = written.images.count, ranks = communicator.size
        // In contiguous parts, so that what ranks gather is in order.
        let part = communicator.rank * count / ranks..<(communicator.rank + 1) * count / ranks
        var writer = PackedWriter()
        let own = try communicator.agree(on: "looking at the pictures") {
            try written.looks(at: part, advance: advance)
        }
        writer.add(own) { $1.pack(&$0) }
        let looks = try communicator.allGather(writer.bytes).flatMap { bytes in
            var reader = PackedReader(bytes)
            return try reader.list { try PictureLook(&$0) }
        }
        try communicator.agree(on: "looking at the pictures") {
            guard let other = Self.seenElsewhere(own, looks) else { return }
            let index = ImageIndex(folder: written.folder, names: written.images.map(\.name))
            guard !index.exists(other) else { return }
            throw AnnotationError(
                "\(index.description(of: other)) is not there on \(communicator.hostName), though another rank finds it: is "
                    + "the folder mounted on every host at the same place?")
        }
        self = try communicator.agree(on: "checking annotations") { try AnnotatedImages(written, looks) }
    }

    /// A picture that another rank has seen, where one has seen none of its own: it may lack the folder.
    static func seenElsewhere(_ own: [PictureLook], _ all: [PictureLook]) -> Int? {
        guard !own.isEmpty, own.allSatisfy(\.isMissing) else { return nil }
        return all.firstIndex { !$0.isMissing }
    }

    /// The same alone.
    package init(_ source: AnnotationSource, categories: [AnnotatedCategory]? = nil) throws {
        let written = try source.read(categories: categories)
        try self.init(written, written.looks(at: written.images.indices))
    }

    init(folder: FilePath, categories: [AnnotatedCategory], images: [AnnotatedImage], damage: AnnotationDamage) {
        (self.folder, self.categories, self.images, self.damage) = (folder, categories, images, damage)
    }

    private init(_ written: WrittenAnnotations, _ looks: [PictureLook]) throws {
        folder = written.folder
        categories = written.categories
        var damage = written.damage, images: [AnnotatedImage] = []
        for (image, look) in zip(written.images, looks) {
            let path = written.folder.pushing(image.name).shown
            switch look {
            case .missing: damage.add(.missingPicture, file: path, "")
            case .unreadable(let reason): damage.add(.unreadablePicture, file: path, reason)
            case .sound(let width, let height, let orientation):
                let frame = PictureFrame(
                    width: width, height: height, orientation: orientation, written: image,
                    isUpright: written.isUpright)
                images.append(frame.settled(image, &damage))
            }
        }
        (self.images, self.damage) = (images, damage)
        try Self.check(written, images, damage)
    }

    /// Throws where the pictures are those of another set.
    private static func check(
        _ written: WrittenAnnotations, _ images: [AnnotatedImage], _ damage: AnnotationDamage
    ) throws {
        let source = written.source.shown, folder = written.folder.shown, count = written.images.count
        let lost = count - images.count
        guard !images.isEmpty else {
            throw AnnotationError(
                "none of the \(count) pictures that \(source) names can be read below \(folder): are they the "
                    + "annotations of another set? " + damage.report.joined(separator: ". "))
        }
        guard Double(lost) <= mostLost * Double(count) else {
            throw AnnotationError(
                "\(lost) of the \(count) pictures that \(source) names cannot be read below \(folder), more than "
                    + "\(Int(mostLost * 100)) %; bring them back, or take them out of the annotations: "
                    + damage.report.joined(separator: ". "))
        }
        let objects = written.images.reduce(0) { $0 + $1.objects.count }
        guard objects == 0 || damage.count(.unknownClass) < objects else {
            throw AnnotationError(
                "no object of \(source) is of a known class (\(written.categories.map(\.name).prefix(8).joined(separator: ", "))): "
                    + "are they the annotations of another set? " + damage.report.joined(separator: ". "))
        }
    }

    /// The pictures as a run lists them, in this order.
    package var index: ImageIndex { ImageIndex(folder: folder, names: images.map(\.name)) }

    /// What detections in the pictures at these places are scored against.
    package func truths(of places: [Int]) throws -> DetectionSet {
        let images = places.map { self.images[$0] }
        return try DetectionSet(
            images: images.map(\.id), categories: categories.map(\.id),
            truths: images.flatMap { image in
                image.objects.map { object in
                    GroundTruth(
                        image: image.id, category: categories[object.category].id, box: object.whole,
                        area: object.area, isCrowd: object.isCrowd, isIgnored: object.isDifficult)
                }
            })
    }
}

/// Where annotations stand.
package enum AnnotationSource: Sendable {
    /// A JSON file, and the folder that its file names are relative to.
    case coco(file: FilePath, pictures: FilePath)
    /// VOC's folders `JPEGImages` and `Annotations`, and a list of names, one a line, such as
    /// `ImageSets/Main/trainval.txt`; without one every annotation counts.
    case voc(root: FilePath, list: FilePath?)
    /// Folders of pictures and of texts of the same names. Without `names` a `classes.txt` among the texts has them.
    case yolo(pictures: FilePath, labels: FilePath, names: [String]?)

    /// Nothing is known of the pictures yet.
    ///
    /// - Parameter advance: called for each file of many.
    package func read(
        categories: [AnnotatedCategory]?, advance: () throws -> Void = {}
    ) throws -> WrittenAnnotations {
        switch self {
        case .coco(let file, let pictures): try COCOFormat.read(file, pictures: pictures, categories: categories)
        case .voc(let root, let list):
            try VOCFormat.read(root, list: list, categories: categories, advance: advance)
        case .yolo(let pictures, let labels, let names):
            try YOLOFormat.read(pictures, labels: labels, names: names, categories: categories, advance: advance)
        }
    }
}
