import Files
package import SystemPackage

/// Pictures and label PNGs of the same names in two folders: `images/0001.jpg` and `labels/0001.png`, or in folders
/// below them, `images/a/0001.jpg` and `labels/a/0001.png`.
package struct SegmentationFolder: Sendable {
    private let images: ImageIndex
    private let labels: [FilePath]

    package var count: Int { images.count }
    /// Pictures that cannot be used, and what is none.
    package var leftOut: LeftOut { images.leftOut }

    /// Pairs the folders; a picture without a label map, or two with the same one, are errors that name both.
    package init(images imagesFolder: FilePath, labels labelsFolder: FilePath) throws {
        let images = try ImageIndex(roots: [imagesFolder])
        let available = try Self.labelMaps(below: labelsFolder)
        var owners: [FilePath: Int] = [:]
        labels = try (0..<images.count).map { index in
            let path = images.description(of: index), stem = Self.stem(of: images.name(of: index))
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
        self.images = images
    }

    /// Label PNGs by their path without the ending.
    private static func labelMaps(below root: FilePath) throws -> [FilePath: FilePath] {
        var found: [FilePath: FilePath] = [:], folders = [FilePath()], seen: Set<FileIdentity> = []
        while let folder = folders.popLast() {
            let whole = root.pushing(folder)
            guard FileIdentity(of: whole).map({ seen.insert($0).inserted }) ?? true else { continue }
            for entry in try FileSystem.entries(in: whole) where !entry.name.isHidden {
                let path = folder.appending(entry.name)
                if try (entry.kind ?? FileKind(of: root.pushing(path))) == .directory {
                    folders.append(path)
                } else if entry.name.extension?.lowercased() == "png" {
                    found[stem(of: path)] = path
                }
            }
        }
        return found
    }

    private static func stem(of path: FilePath) -> FilePath {
        var path = path
        path.extension = nil
        return path
    }

    package func description(of index: Int) -> String { images.description(of: index) }

    package func imageBytes(of index: Int) throws -> [UInt8] { try images.bytes(of: index) }

    /// The class of every pixel of a picture; ids from `classes` up other than `void` are an error, as is another size.
    package func labels(of index: Int, classes: Int, void: Int?) throws -> (width: Int, height: Int, ids: [UInt8]) {
        let path = labels[index]
        let map: (width: Int, height: Int, ids: [UInt8])
        do {
            let file = try InputFile(path: path)
            guard file.size <= ImageIndex.largestFile else { throw ImageError("has \(file.size) bytes, too many") }
            map = try decodeLabelMap(try file.bytes(0..<file.size))
        } catch let error as ImageError {
            throw IndexError("\(path.shown): \(error.reason)")
        }
        try ImageDecoder.open(try imageBytes(of: index)) { picture in
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
                    + "\(void.map { "\($0) for void" } ?? "no void"); set evaluation.segmentation.classes or .void")
        }
        return map
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
