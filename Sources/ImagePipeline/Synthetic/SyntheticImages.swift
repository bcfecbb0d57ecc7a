import Files
package import SystemPackage
import TensorCore

/// Drawn pictures to try everything with: classes of textures, and pictures with a label for every pixel.
///
/// A class is the texture of an object. Its shape and colours, light, size, place, angle, background, clutter and noise
/// are random, so that no colour or mean tells a class: features matter.
package enum SyntheticImages {
    /// Writes `images/{train,val}/<class>/NNNN.jpg`, `segmentation/{train,val}/{images,labels}/NNNN.{jpg,png}` (label 0
    /// is background, class k is k + 1) with `segmentation/{train,val}/boxes.json` beside (COCO's, category k + 1), and
    /// `classes.txt`. The same seed draws the same files.
    package static func write(
        to folder: FilePath, classes: Int, trainPerClass: Int, validationPerClass: Int, segmentationTrain: Int,
        segmentationValidation: Int, imageSize: Int, seed: UInt64,
        progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws {
        guard (2...SyntheticTexture.allCases.count).contains(classes), imageSize >= 16 else {
            throw IndexError(
                "\(classes) classes of \(imageSize) px: 2 to \(SyntheticTexture.allCases.count) classes, at least 16 px"
            )
        }
        let names = SyntheticTexture.allCases.prefix(classes).map(\.rawValue)
        let total = classes * (trainPerClass + validationPerClass) + segmentationTrain + segmentationValidation
        var done = 0
        for (split, part, count) in [(UInt64(0), "train", trainPerClass), (1, "val", validationPerClass)] {
            for (number, name) in names.enumerated() {
                let place = try makeFolder(folder, "images/\(part)/\(name)")
                for picture in 0..<count {
                    var generator = KeyedGenerator(seed, split, UInt64(number), UInt64(picture))
                    var scene = SyntheticScene(size: imageSize, &generator)
                    scene.draw(
                        SyntheticTexture.allCases[number], label: UInt8(number + 1), scale: 0.45...0.65, &generator)
                    try write(try scene.jpeg(&generator), to: place.appending("\(fourDigits(picture)).jpg"))
                    done += 1
                    progress(done, total)
                }
            }
        }
        for (split, part, count) in [(UInt64(2), "train", segmentationTrain), (3, "val", segmentationValidation)] {
            let images = try makeFolder(folder, "segmentation/\(part)/images")
            let labels = try makeFolder(folder, "segmentation/\(part)/labels")
            var boxes = SyntheticAnnotations(size: imageSize, classNames: names)
            for picture in 0..<count {
                var generator = KeyedGenerator(seed, split, UInt64(picture))
                var scene = SyntheticScene(size: imageSize, &generator)
                for _ in 0..<2 + generator.integer(below: 3) {
                    let number = generator.integer(below: classes)
                    scene.draw(
                        SyntheticTexture.allCases[number], label: UInt8(number + 1), scale: 0.24...0.42, &generator)
                }
                try write(try scene.jpeg(&generator), to: images.appending("\(fourDigits(picture)).jpg"))
                try write(
                    try encodePNG(gray: scene.labels, width: imageSize, height: imageSize),
                    to: labels.appending("\(fourDigits(picture)).png"))
                boxes.add("\(fourDigits(picture)).jpg", scene.objects)
                done += 1
                progress(done, total)
            }
            try write(Array(boxes.json.utf8), to: folder.appending("segmentation/\(part)/boxes.json"))
        }
        try write(
            Array((["background"] + names).joined(separator: "\n").utf8 + [10]), to: folder.appending("classes.txt"))
    }

    /// More digits for larger numbers.
    private static func fourDigits(_ number: Int) -> String { String(number).zeroPadded(to: 4) }

    private static func makeFolder(_ folder: FilePath, _ below: String) throws -> FilePath {
        let path = folder.appending(below)
        try FileSystem.makeDirectories(path)
        return path
    }

    private static func write(_ bytes: [UInt8], to path: FilePath) throws {
        // Drawn again as easily: the disk is not waited for.
        try WholeFile.write(to: path, isDurable: false) { try $0.append(bytes) }
    }
}
