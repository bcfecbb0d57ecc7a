import Files
package import SystemPackage

/// What files of annotations say, before the pictures were looked at.
package struct WrittenAnnotations: Sendable {
    /// What messages call the annotations.
    package let source: FilePath
    /// Where the pictures lie.
    package let folder: FilePath
    package let categories: [AnnotatedCategory]
    /// Ascending by number.
    package let images: [Image]
    package let damage: AnnotationDamage
    /// Whether boxes stand in the picture as EXIF turns it where no size says more: YOLO's programs read pictures so.
    let isUpright: Bool

    /// A picture and what was written of it.
    package struct Image: Sendable {
        let id: Int
        let name: FilePath
        /// The file that annotates it, on one line.
        let file: String
        /// As it was annotated; nil where it was not.
        let width: Int?
        let height: Int?
        var objects: [Object] = []
    }

    /// An object as it was written.
    struct Object: Sendable {
        /// "annotation 17", "object 2", "line 3".
        let item: String
        /// Among the categories; nil for one that is unknown.
        let category: Int?
        /// What it was called.
        let className: String
        /// In pixels, or in shares of the picture.
        let box: Box
        let isRelative: Bool
        let area: Double?
        let isCrowd: Bool
        let isDifficult: Bool
    }

    // MARK: Between ranks

    package var packed: [UInt8] {
        var writer = PackedWriter()
        for path in [source, folder] { writer.add(path.bytes) }
        writer.add(isUpright ? 1 : 0)
        writer.add(categories) { writer, category in
            writer.add(category.id)
            writer.add(category.name)
        }
        writer.add(images) { writer, image in
            writer.add(image.id)
            writer.add(image.name.bytes)
            writer.add(image.file)
            for side in [image.width, image.height] { writer.add(side ?? -1) }
            writer.add(image.objects) { $1.pack(&$0) }
        }
        damage.pack(&writer)
        return writer.bytes
    }

    package init(packed bytes: [UInt8]) throws {
        var reader = PackedReader(bytes)
        source = FilePath(bytes: try reader.text())
        folder = FilePath(bytes: try reader.text())
        isUpright = try reader.number() == 1
        categories = try reader.list { AnnotatedCategory(id: try $0.number(), name: try $0.string()) }
        images = try reader.list { reader in
            let (id, name) = (try reader.number(), FilePath(bytes: try reader.text())), file = try reader.string()
            let sides = try (0..<2).map { _ in try reader.number() }.map { $0 < 0 ? nil : $0 }
            return Image(
                id: id, name: name, file: file, width: sides[0], height: sides[1],
                objects: try reader.list { try Object(&$0) })
        }
        damage = try AnnotationDamage(&reader)
    }

    init(
        source: FilePath, folder: FilePath, categories: [AnnotatedCategory], images: [Image],
        damage: AnnotationDamage, isUpright: Bool = false
    ) {
        (self.source, self.folder, self.categories) = (source, folder, categories)
        (self.images, self.damage, self.isUpright) = (images.sorted { $0.id < $1.id }, damage, isUpright)
    }
}

extension WrittenAnnotations.Object {
    fileprivate func pack(_ writer: inout PackedWriter) {
        writer.add(item)
        writer.add(category ?? -1)
        writer.add(className)
        for number in [box.x, box.y, box.width, box.height] { writer.add(number) }
        writer.add(area == nil ? 0 : 1)
        writer.add(area ?? 0)
        for flag in [isRelative, isCrowd, isDifficult] { writer.add(flag ? 1 : 0) }
    }

    fileprivate init(_ reader: inout PackedReader) throws {
        item = try reader.string()
        let category = try reader.number()
        self.category = category < 0 ? nil : category
        className = try reader.string()
        let numbers = try (0..<4).map { _ in try reader.double() }
        box = Box(x: numbers[0], y: numbers[1], width: numbers[2], height: numbers[3])
        let hasArea = try reader.number() == 1, area = try reader.double()
        self.area = hasArea ? area : nil
        isRelative = try reader.number() == 1
        isCrowd = try reader.number() == 1
        isDifficult = try reader.number() == 1
    }
}

/// A name below a folder, as annotations give it; nil for one that leads elsewhere: from the root, upwards, or nowhere.
func nameBelowFolder(_ name: String) -> FilePath? {
    let bytes = Array(name.utf8), path = FilePath(bytes: bytes)
    guard !bytes.isEmpty, !bytes.contains(0), !path.isAbsolute, !path.components.isEmpty,
        !path.components.contains(where: { $0.kind != .regular })
    else { return nil }
    return path
}
