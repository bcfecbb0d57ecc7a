import Files
import SystemPackage

/// Pascal VOC's XML, one file a picture: corners in pixels from 1, both inclusive.
///
/// (xmin, ymin, xmax, ymax) becomes the box from (xmin − 1, ymin − 1) to (xmax, ymax), as detectron2 has it.
enum VOCFormat {
    static func read(
        _ root: FilePath, list: FilePath?, categories known: [AnnotatedCategory]?, advance: () throws -> Void = {}
    ) throws -> WrittenAnnotations {
        let folder = root.appending("Annotations"), pictures = root.appending("JPEGImages")
        func usual(_ stem: FilePath) -> FilePath { folder.pushing(stem).appending(suffix: ".xml") }
        let wanted = try list.map { try FileList.names($0) }
        // Other spellings of the ending are looked for where the usual one is missing.
        let isUsual = wanted?.allSatisfy { FileSystem.exists(usual($0)) } ?? false
        let listed = isUsual ? [:] : try FileList.files(in: folder, ending: "xml")
        let names = wanted ?? listed.keys.sorted(by: FilePath.areInOrder)
        guard !names.isEmpty else { throw FileError(path: list ?? folder, reason: "names no annotation") }
        var damage = AnnotationDamage()
        let found = try PicturesByStem(below: pictures)
        let files = names.map { (stem: $0, path: listed[$0].map(folder.pushing) ?? usual($0)) }
        let elements = try files.map { file in
            try advance()
            return try annotation(file.path)
        }
        // An object without a name is of no class.
        let own = Set(elements.flatMap { objects(of: $0).map { name(of: $0) } }.filter { !$0.isEmpty }).sorted {
            $0.utf8.lexicographicallyPrecedes($1.utf8)
        }
        guard known != nil || !own.isEmpty else {
            throw FileError(path: list ?? folder, reason: "has no object at all")
        }
        let classes = try CategoryPlaces(
            own.enumerated().map { AnnotatedCategory(id: $0 + 1, name: $1) }, known: known)
        let images = zip(files, elements).enumerated().map { place, file in
            let size = file.1.child("size")
            func side(_ name: String) -> Int? {
                size?.child(name).flatMap { Double($0.text) }.flatMap { Int(exactly: $0) }
            }
            let name = found.picture(file.0.stem) ?? file.0.stem.appending(suffix: ".jpg")
            return WrittenAnnotations.Image(
                id: place + 1, name: name, file: file.0.path.shown, width: side("width"), height: side("height"),
                objects: objects(of: file.1).enumerated().compactMap {
                    object($1, "object \($0 + 1)", file.0.path.shown, classes, &damage)
                })
        }
        return WrittenAnnotations(
            source: list ?? folder, folder: pictures, categories: classes.categories, images: images, damage: damage)
    }

    /// More than a person draws boxes for.
    private static let largestFile = 64 << 20

    private static func annotation(_ path: FilePath) throws -> XMLElement {
        let bytes = try WholeFile.bytes(of: path, limit: largestFile)
        let element: XMLElement
        do { element = try XMLElement(bytes) } catch let failure as XMLFailure {
            throw FileError(path: path, reason: "is no VOC annotation: \(failure)")
        }
        guard element.name == "annotation" else {
            throw FileError(path: path, reason: "is no VOC annotation: it begins with <\(shownText(element.name))>")
        }
        // The picture is found by the annotation's own name, as VOC's programs do; one that leads elsewhere is no slip.
        if let name = element.child("filename")?.text, !name.isEmpty, nameBelowFolder(name) == nil {
            throw FileError(
                path: path, reason: "has the filename '\(shownText(name))', which does not lead into JPEGImages")
        }
        return element
    }

    private static func objects(of element: XMLElement) -> [XMLElement] {
        element.children.filter { $0.name == "object" }
    }

    private static func name(of object: XMLElement) -> String { object.child("name")?.text ?? "" }

    private static func object(
        _ object: XMLElement, _ item: String, _ file: String, _ classes: CategoryPlaces,
        _ damage: inout AnnotationDamage
    ) -> WrittenAnnotations.Object? {
        guard let box = object.child("bndbox") else {
            damage.add(.malformed, file: file, item: item, "no bndbox")
            return nil
        }
        // What is blank or no number at all is NaN, and named as such.
        let corners = ["xmin", "ymin", "xmax", "ymax"].map { box.child($0).flatMap { Double($0.text) } ?? .nan }
        let name = name(of: object), difficult = object.child("difficult")?.text ?? "0"
        return WrittenAnnotations.Object(
            item: item, category: classes.place(of: name), className: name.isEmpty ? "no name" : name,
            box: Box(left: corners[0] - 1, top: corners[1] - 1, right: corners[2], bottom: corners[3]),
            isRelative: false, area: nil, isCrowd: false, isDifficult: difficult != "0" && !difficult.isEmpty)
    }
}
