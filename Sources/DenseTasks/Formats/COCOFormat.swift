import Files
import SystemPackage

/// COCO's JSON of instances: `images`, `annotations` and `categories`, with boxes [x, y, width, height] from 0.
///
/// Read front to back without a tree, so that masks and captions cost nothing. `iscrowd` and `ignore` are 0 where they
/// are not given, `area` is width × height.
enum COCOFormat {
    static func read(
        _ file: FilePath, pictures: FilePath, categories: [AnnotatedCategory]?
    ) throws -> WrittenAnnotations {
        let text = try WholeFile.bytes(of: file, limit: largestFile).withoutByteOrderMark
        do {
            var reader = JSONReader(text), parts = Parts()
            try parts.read(&reader)
            return try parts.joined(file, pictures: pictures, categories: categories)
        } catch let failure as JSONReader.Failure {
            throw FileError(path: file, reason: "is no COCO file of annotations: \(failure)")
        } catch let error as AnnotationError {
            throw FileError(path: file, reason: error.description)
        }
    }

    /// Objects of two million pictures with their outlines.
    static let largestFile = 64 << 30

    /// What the file holds, in its order; annotations may stand before what they refer to.
    fileprivate struct Parts {
        var images: [WrittenAnnotations.Image]?
        var annotations: [Annotation]?
        var categories: [AnnotatedCategory]?

        mutating func read(_ reader: inout JSONReader) throws {
            try reader.object { reader, key in
                switch key {
                case "images": images = try COCOFormat.list(&reader, COCOFormat.image)
                case "annotations": annotations = try COCOFormat.list(&reader, Annotation.init)
                case "categories": categories = try COCOFormat.list(&reader, COCOFormat.category)
                default: try reader.skipValue()
                }
            }
            try reader.end()
        }
    }

    fileprivate struct Annotation {
        var id: Int?
        var image: Int?
        var category: Int?
        var box: [Double]?
        var area: Double?
        var isCrowd = false
        var isIgnored = false

        init(_ reader: inout JSONReader) throws {
            try reader.object { reader, key in
                switch key {
                case "id": id = try reader.integer()
                case "image_id": image = try reader.integer()
                case "category_id": category = try reader.integer()
                case "bbox": box = try COCOFormat.list(&reader) { try $0.double() }
                case "area":
                    // `null`, as tables have what nobody measured.
                    let number = try reader.double()
                    area = number.isNaN ? nil : number
                case "iscrowd": isCrowd = try reader.flag()
                case "ignore": isIgnored = try reader.flag()
                default: try reader.skipValue()
                }
            }
        }
    }

    private static func list<Element>(
        _ reader: inout JSONReader, _ element: (inout JSONReader) throws -> Element
    ) throws -> [Element] {
        var list: [Element] = []
        try reader.array { list.append(try element(&$0)) }
        return list
    }

    private static func image(_ reader: inout JSONReader) throws -> WrittenAnnotations.Image {
        var id: Int?, name: String?, width: Double?, height: Double?
        try reader.object { reader, key in
            switch key {
            case "id": id = try reader.integer()
            case "file_name": name = try reader.string()
            case "width": width = try reader.double()
            case "height": height = try reader.double()
            default: try reader.skipValue()
            }
        }
        guard let id, let name else { throw reader.failure("an image without id or file_name ends") }
        guard let path = nameBelowFolder(name) else {
            throw AnnotationError(
                "the image \(id) has the file_name '\(shownText(name))', which does not lead into the folder of the "
                    + "pictures; names are relative to it and have no '..'")
        }
        return WrittenAnnotations.Image(
            id: id, name: path, file: "", width: width.flatMap { Int(exactly: $0) },
            height: height.flatMap { Int(exactly: $0) })
    }

    private static func category(_ reader: inout JSONReader) throws -> AnnotatedCategory {
        var id: Int?, name: String?
        try reader.object { reader, key in
            switch key {
            case "id": id = try reader.integer()
            case "name": name = try reader.string()
            default: try reader.skipValue()
            }
        }
        guard let id, let name else { throw reader.failure("a category without id or name ends") }
        return AnnotatedCategory(id: id, name: name)
    }
}

extension COCOFormat.Parts {
    func joined(
        _ file: FilePath, pictures: FilePath, categories known: [AnnotatedCategory]?
    ) throws -> WrittenAnnotations {
        func present<Part>(_ part: Part?, _ name: String) throws -> Part {
            guard let part else {
                throw AnnotationError("has no '\(name)': is it COCO's file of instances, and not one of results?")
            }
            return part
        }
        let own = try present(self.categories, "categories").sorted { $0.id < $1.id }
        var images = try present(self.images, "images").map { $0.annotated(by: file.shown) }
        let imagePlaces = try Self.places(images.map(\.id), "images")
        let classes = try CategoryPlaces(own, known: known, ids: Self.places(own.map(\.id), "categories"))
        var damage = AnnotationDamage(), seen: Set<Int> = []
        for (place, annotation) in try present(self.annotations, "annotations").enumerated() {
            let item = annotation.id.map { "annotation \($0)" } ?? "annotation at place \(place + 1)"
            func note(_ kind: AnnotationDamage.Kind, _ reason: String) {
                damage.add(kind, file: file.shown, item: item, reason)
            }
            if let id = annotation.id, !seen.insert(id).inserted { note(.duplicateID, "") }
            guard let image = annotation.image.flatMap({ imagePlaces[$0] }) else {
                note(.orphan, annotation.image.map { "image \($0)" } ?? "no image_id")
                continue
            }
            guard let box = annotation.box, box.count == 4 else {
                note(.malformed, annotation.box.map { "\($0.count) numbers in bbox" } ?? "no bbox")
                continue
            }
            images[image].objects.append(
                WrittenAnnotations.Object(
                    item: item, category: annotation.category.flatMap { classes.place(ofID: $0) },
                    className: annotation.category.map { classes.name(ofID: $0) } ?? "no category_id",
                    box: Box(x: box[0], y: box[1], width: box[2], height: box[3]), isRelative: false,
                    area: annotation.area, isCrowd: annotation.isCrowd, isDifficult: annotation.isIgnored))
        }
        guard !images.isEmpty else { throw AnnotationError("lists no images") }
        return WrittenAnnotations(
            source: file, folder: pictures, categories: classes.categories, images: images, damage: damage)
    }

    /// Where each number stands. One that stands twice would leave open which is meant.
    private static func places(_ ids: [Int], _ what: String) throws -> [Int: Int] {
        var places: [Int: Int] = [:]
        for (place, id) in ids.enumerated() {
            guard places.updateValue(place, forKey: id) == nil else {
                throw AnnotationError("has two \(what) with the id \(id); give each an id of its own")
            }
        }
        return places
    }
}

extension WrittenAnnotations.Image {
    fileprivate func annotated(by file: String) -> WrittenAnnotations.Image {
        WrittenAnnotations.Image(id: id, name: name, file: file, width: width, height: height, objects: objects)
    }
}
