import Files
package import SystemPackage

/// Pictures and label PNGs of the same names in two folders: `images/0001.jpg` and `labels/0001.png`, or in folders
/// below them, `images/a/0001.jpg` and `labels/a/0001.png`. Names may end differently: `0001_photo.jpg`, `0001_mask.png`.
package struct SegmentationFolder: Sendable {
    private let images: ImageIndex
    private let labels: [FilePath]
    /// What stored ids stand for; nil where they stand for themselves.
    private let meaning: [UInt8]?

    package var count: Int { images.count }
    /// Pictures that cannot be used, and what is none.
    package var leftOut: LeftOut { images.leftOut }
    /// The pictures as a run lists them.
    package var index: ImageIndex { images }

    /// Pictures with a label map each, in this order; `meaning` has what each of the 256 stored ids stands for.
    package init(images: ImageIndex, labels: [FilePath], meaning: [UInt8]? = nil) {
        precondition(
            images.count == labels.count && meaning?.count ?? 256 == 256,
            "\(labels.count) label maps for \(images.count) pictures, \(meaning?.count ?? 256) ids")
        (self.images, self.labels, self.meaning) = (images, labels, meaning)
    }

    /// Pairs the folders; a picture without a label map, or two with the same one, are errors that name both.
    package init(images imagesFolder: FilePath, labels labelsFolder: FilePath) throws {
        try self.init(images: imagesFolder, labels: labelsFolder, imageSuffix: "", labelSuffix: "")
    }

    /// Pairs the folders by names that end in the suffixes, before `.jpg` and `.png`: other files are left alone.
    ///
    /// - Parameter isWanted: whether a picture of this name, with and without its ending, is taken.
    package init(
        images imagesFolder: FilePath, labels labelsFolder: FilePath, imageSuffix: String, labelSuffix: String,
        meaning: [UInt8]? = nil, isWanted: (_ name: FilePath, _ stem: FilePath) -> Bool = { _, _ in true }
    ) throws {
        let all = try ImageIndex(roots: [imagesFolder])
        let isShared = FileIdentity(of: imagesFolder) == FileIdentity(of: labelsFolder)
        func isLabel(_ stem: FilePath) -> Bool { isShared && stem.hasSuffix(labelSuffix) && !labelSuffix.isEmpty }
        let images = all.picking(
            (0..<all.count).filter { index in
                let stem = all.name(of: index).withoutEnding
                return stem.hasSuffix(imageSuffix) && !isLabel(stem) && isWanted(all.name(of: index), stem)
            })
        guard images.count > 0 else {
            throw IndexError(
                "no picture in \(imagesFolder.shown) has a name that ends in '\(imageSuffix)' and is in the list, where there "
                    + "is one")
        }
        let available = Dictionary(
            try FolderTree.files(below: labelsFolder).filter { $0.extension?.lowercased() == "png" }
                .map { ($0.withoutEnding, $0) }
        ) { first, _ in first }
        var owners: [FilePath: Int] = [:]
        let labels = try (0..<images.count).map { index in
            let path = images.description(of: index)
            let stem = images.name(of: index).withoutEnding.droppingSuffix(imageSuffix).appending(suffix: labelSuffix)
            // A mirrored tree first; a flat folder of labels does where names are unique.
            guard
                let label = available[stem]
                    ?? stem.lastComponent.flatMap({ available[FilePath(root: nil, components: $0)] })
            else {
                let wanted = labelsFolder.pushing(stem).shown + ".png"
                throw IndexError("\(path) has no label map \(wanted); add it, or take the picture away")
            }
            if let other = owners.updateValue(index, forKey: label) {
                throw IndexError(
                    "\(images.description(of: other)) and \(path) share the label map "
                        + "\(labelsFolder.pushing(label).shown): put labels into the same sub-folders as their pictures"
                )
            }
            return labelsFolder.pushing(label)
        }
        self.init(images: images, labels: labels, meaning: meaning)
    }

    /// The pictures at some places, in this order.
    package func picking(_ places: [Int]) -> SegmentationFolder {
        SegmentationFolder(images: images.picking(places), labels: places.map { labels[$0] }, meaning: meaning)
    }

    /// The path of a picture below its folder.
    package func name(of index: Int) -> String { images.name(of: index).text }

    package func description(of index: Int) -> String { images.description(of: index) }

    package func imageBytes(of index: Int) throws -> [UInt8] { try images.bytes(of: index) }

    /// The class of every pixel of a picture; ids from `classes` up other than `void` are an error, as is another size.
    ///
    /// - Parameter bytes: the picture's, where they have been read.
    package func labels(
        of index: Int, bytes: [UInt8]? = nil, classes: Int, void: Int?
    ) throws -> (width: Int, height: Int, ids: [UInt8]) {
        let path = labels[index]
        let map: (width: Int, height: Int, ids: [UInt8])
        do {
            let file = try InputFile(path: path)
            guard file.size <= ImageIndex.largestFile else { throw ImageError("has \(file.size) bytes, too many") }
            let stored = try decodeLabelMap(try file.bytes(0..<file.size))
            map =
                meaning.map { meaning in
                    (stored.width, stored.height, stored.ids.map { meaning[Int($0)] })
                } ?? stored
        } catch let error as ImageError {
            throw IndexError("\(path.shown): \(error.reason)")
        }
        try ImageDecoder.open(try bytes ?? imageBytes(of: index)) { picture in
            guard map.width == picture.width, map.height == picture.height else {
                let remedy =
                    picture.isTurned
                    ? "its EXIF data turn the photo, and labels belong to the upright one: turn the labels too"
                    : "draw the labels at the picture's size"
                throw IndexError(
                    "\(path.shown) has the size \(map.width)×\(map.height), but its picture "
                        + "\(picture.width)×\(picture.height); \(remedy)")
            }
        }
        if let unknown = map.ids.first(where: { Int($0) >= classes && Int($0) != void }) {
            throw IndexError(
                "\(path.shown) has the class id \(unknown), but there are \(classes) classes (0 to \(classes - 1)) and "
                    + "\(void.map { "\($0) for void" } ?? "no void"); correct the labels, or the settings of "
                    + "classes and void")
        }
        return map
    }

    /// The folder as bytes that `init(packed:)` reads back; what was left out stays behind.
    package var packed: [UInt8] {
        var writer = PackedWriter()
        writer.add(images.serialized)
        writer.add(labels) { $0.add($1.bytes) }
        writer.add(meaning ?? [])
        return writer.bytes
    }

    package init(packed bytes: [UInt8]) throws {
        var reader = PackedReader(bytes)
        let images = try ImageIndex(serialized: Array(try reader.text()))
        let labels = try reader.list { FilePath(bytes: try $0.text()) }, meaning = Array(try reader.text())
        guard labels.count == images.count, meaning.isEmpty || meaning.count == 256 else {
            throw PackedReader.Damaged()
        }
        self.init(images: images, labels: labels, meaning: meaning.isEmpty ? nil : meaning)
    }

    /// Checks every label map: all that is wrong is found before anything long begins. Returns how many pixels have each
    /// of the 256 ids.
    package func verify(classes: Int, void: Int?) throws -> [Int] {
        var pixels = [Int](repeating: 0, count: 256)
        for index in 0..<count {
            // A picture that cannot be read is left out of the score and named there, as in training.
            do {
                for id in try labels(of: index, classes: classes, void: void).ids { pixels[Int(id)] += 1 }
            } catch is ImageError { continue }
        }
        return pixels
    }
}

extension FilePath {
    fileprivate func hasSuffix(_ suffix: String) -> Bool { lastComponent?.hasSuffix(suffix) ?? false }

    fileprivate func droppingSuffix(_ suffix: String) -> FilePath {
        FilePath(bytes: bytes.dropLast(suffix.utf8.count))
    }
}
