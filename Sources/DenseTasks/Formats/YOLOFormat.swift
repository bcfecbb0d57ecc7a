import Files
import SystemPackage

/// YOLO's texts, one a picture: lines of class number, centre x, centre y, width and height in shares of the picture.
///
/// A line of more is a polygon, of which the box around it is taken. A picture without a text has no objects. The shares
/// are those of the picture turned as EXIF says, since the programs that read this format turn it.
enum YOLOFormat {
    static func read(
        _ pictures: FilePath, labels: FilePath, names: [String]?, categories known: [AnnotatedCategory]?,
        advance: () throws -> Void = {}
    ) throws -> WrittenAnnotations {
        // The folder's own list says what its numbers are, also where the classes are known; without one they are those.
        let isListed = FileSystem.exists(labels.appending("classes.txt"))
        let names = try names ?? (isListed ? nil : known?.map(\.name)) ?? classNames(in: labels)
        let classes = try CategoryPlaces(
            names.enumerated().map { AnnotatedCategory(id: $0, name: $1) }, known: known,
            ids: Dictionary(uniqueKeysWithValues: names.indices.map { ($0, $0) }))
        let found = try PicturesByStem(below: pictures)
        let texts = try FileList.files(in: labels, ending: "txt").filter { $0.key.string != "classes" }
        var damage = AnnotationDamage()
        let images = try found.stems.enumerated().map { place, stem in
            try advance()
            let text = texts[stem], file = labels.pushing(text ?? stem.appending(suffix: ".txt"))
            return WrittenAnnotations.Image(
                id: place + 1, name: found.picture(stem)!, file: file.shown, width: nil, height: nil,
                objects: text == nil ? [] : try objects(of: file, classes, &damage))
        }
        guard !images.isEmpty else { throw FileError(path: pictures, reason: "holds no picture") }
        for (stem, text) in texts.sorted(by: { FilePath.areInOrder($0.value, $1.value) })
        where found.picture(stem) == nil {
            damage.add(.orphan, file: labels.pushing(text).shown, "no picture of this name")
        }
        return WrittenAnnotations(
            source: labels, folder: pictures, categories: classes.categories, images: images, damage: damage,
            isUpright: true)
    }

    /// Lines are classes by their places, from 0: an empty one would give all behind it another's name.
    private static func classNames(in labels: FilePath) throws -> [String] {
        let file = labels.appending("classes.txt")
        guard FileSystem.exists(file) else {
            throw FileError(
                path: file,
                reason: "is not there: write the names of the classes to it, a line each, in the order of their numbers"
            )
        }
        return try FileList.words(file).enumerated().map { place, line in
            guard line.number == place + 1 else {
                throw FileError(
                    path: file, reason: "line \(place + 1) is empty: each line names the class of its place")
            }
            return line.words.joined(separator: " ")
        }
    }

    private static func objects(
        of file: FilePath, _ classes: CategoryPlaces, _ damage: inout AnnotationDamage
    ) throws -> [WrittenAnnotations.Object] {
        try FileList.words(file).compactMap { number, words in
            let item = "line \(number)"
            guard words.count == 5 || words.count >= 7 && words.count % 2 == 1 else {
                damage.add(.malformed, file: file.shown, item: item, "\(words.count) words")
                return nil
            }
            let numbers = words.dropFirst().map { Double($0) ?? .nan }
            let id = Double(words[0]).flatMap { Int(exactly: $0) }
            return WrittenAnnotations.Object(
                item: item, category: id.flatMap { classes.place(ofID: $0) }, className: "class \(words[0])",
                box: numbers.count == 4 ? centred(numbers) : around(numbers), isRelative: true, area: nil,
                isCrowd: false, isDifficult: false)
        }
    }

    private static func centred(_ numbers: [Double]) -> Box {
        Box(x: numbers[0] - numbers[2] / 2, y: numbers[1] - numbers[3] / 2, width: numbers[2], height: numbers[3])
    }

    /// Around the corners x, y, x, y …
    private static func around(_ numbers: [Double]) -> Box {
        guard numbers.allSatisfy(\.isFinite) else { return Box(x: .nan, y: .nan, width: .nan, height: .nan) }
        let x = stride(from: 0, to: numbers.count, by: 2).map { numbers[$0] }
        let y = stride(from: 1, to: numbers.count, by: 2).map { numbers[$0] }
        return Box(left: x.min()!, top: y.min()!, right: x.max()!, bottom: y.max()!)
    }
}
