/// Pictures and label PNGs of the same names in two folders: `images/0001.jpg` and `labels/0001.png`.
public struct SegmentationFolder: Sendable {
    private let images: ImageIndex
    private let labels: [String]

    public var count: Int { images.count }

    /// Pairs the folders; a picture without a label map is an error that names both.
    public init(images imagesFolder: String, labels labelsFolder: String) throws {
        let images = try ImageIndex(roots: [imagesFolder])
        let available = Set(try FileReading.names(in: labelsFolder))
        self.images = images
        labels = try (0..<images.count).map { index in
            let path = images.description(of: index)
            let name = path.split(separator: "/").last!
            let label = name[..<name.lastIndex(of: ".")!] + ".png"
            guard available.contains(String(label)) else {
                throw IndexError("\(path) has no label map \(labelsFolder)/\(label); add it, or take the picture away")
            }
            return labelsFolder + "/" + label
        }
    }

    public func description(of index: Int) -> String { images.description(of: index) }

    public func imageBytes(of index: Int) throws -> [UInt8] { try images.bytes(of: index) }

    /// The class of every pixel of a picture; ids from `classes` up other than `void` are an error, as is another size.
    public func labels(of index: Int, classes: Int, void: Int?) throws -> (width: Int, height: Int, ids: [UInt8]) {
        let path = labels[index]
        let map: (width: Int, height: Int, ids: [UInt8])
        do { map = try decodeLabelMap(try FileReading.bytes(of: path)) } catch let error as ImageError {
            throw IndexError("\(path): \(error.reason)")
        }
        let size = try ImageDecoder.size(of: try imageBytes(of: index))
        guard map.width == size.width, map.height == size.height else {
            throw IndexError(
                "\(path) has the size \(map.width)×\(map.height), but its picture \(size.width)×\(size.height); draw the "
                    + "labels at the picture's size")
        }
        if let unknown = map.ids.first(where: { Int($0) >= classes && Int($0) != void }) {
            throw IndexError(
                "\(path) has the class id \(unknown), but there are \(classes) classes (0 to \(classes - 1)) and "
                    + "\(void.map { "\($0) for void" } ?? "no void"); set evaluation.segmentation.classes or .void")
        }
        return map
    }

    /// Checks every label map: all that is wrong is found before anything long begins.
    public func verify(classes: Int, void: Int?) throws {
        for index in 0..<count {
            // A picture that cannot be read is left out of the score and named there, as in training.
            do { _ = try labels(of: index, classes: classes, void: void) } catch is ImageError { continue }
        }
    }
}
