import Files
package import ImagePipeline
package import SystemPackage

extension SegmentationFolder {
    /// Pascal VOC's layout: `JPEGImages/NAME.jpg` and palette PNGs `SegmentationClass/NAME.png`, whose indices are the
    /// classes (0 background, 1 to 20, 255 border), for the names of `ImageSets/Segmentation/LIST.txt`.
    ///
    /// - Parameter labels: another folder of label maps, such as `SegmentationClassAug`.
    package init(voc root: FilePath, list: String, labels: String = "SegmentationClass") throws {
        let file = root.pushing(FilePath("ImageSets/Segmentation")).appending(list + ".txt")
        let names = try FileList.names(file), pictures = root.appending("JPEGImages")
        guard !names.isEmpty else { throw FileError(path: file, reason: "names no picture") }
        let known = try PicturesByStem(below: pictures)
        let paths = names.map { (name: $0, label: root.appending(labels).pushing($0).appending(suffix: ".png")) }
        let images = try paths.map { name, label in
            guard let picture = known.picture(name) else {
                throw AnnotationError("\(file.shown) names \(name.shown), but \(pictures.shown) has no such picture")
            }
            guard FileSystem.exists(label) else {
                throw AnnotationError("\(file.shown) names \(name.shown), but there is no label map \(label.shown)")
            }
            return picture
        }
        self.init(images: ImageIndex(folder: pictures, names: images), labels: paths.map(\.label))
    }

    /// Cityscapes' layout: `leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png` and `gtFine/SPLIT/CITY/NAME_gtFine_labelIds.png`,
    /// whose ids become the 19 classes that are trained (255 elsewhere). Where there are `labelTrainIds` alone, those are
    /// taken as they are: suffixes tell, never values.
    package init(cityscapes root: FilePath, split: String) throws {
        let labels = root.appending("gtFine").appending(split)
        let isTrainIDs = try !FolderTree.files(below: labels).contains {
            $0.lastComponent?.hasSuffix("_labelIds.png") ?? false
        }
        try self.init(
            images: root.appending("leftImg8bit").appending(split), labels: labels, imageSuffix: "_leftImg8bit",
            labelSuffix: isTrainIDs ? "_gtFine_labelTrainIds" : "_gtFine_labelIds",
            meaning: isTrainIDs ? nil : Cityscapes.meaning)
    }
}

/// The classes of Cityscapes that are trained and scored.
package enum Cityscapes {
    package static let classNames = [
        "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation",
        "terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
    ]
    /// The ids in files, in the order of the classes.
    private static let ids = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]

    static let meaning: [UInt8] = {
        var meaning = [UInt8](repeating: 255, count: 256)
        for (place, id) in ids.enumerated() { meaning[id] = UInt8(place) }
        return meaning
    }()
}
