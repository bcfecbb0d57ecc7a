import DenseTasks
import Files
import ImagePipeline
import SystemPackage
import TestSupport
import Testing

@Suite struct SegmentationLayoutTests {
    private func label(_ ids: [Int], _ color: PlainPNG.ColorType = .gray) -> [UInt8] {
        PlainPNG(ids.count, 1, color, ids).bytes
    }

    private func ids(_ set: SegmentationFolder, classes: Int = 19) throws -> [[UInt8]] {
        try (0..<set.count).map { try set.labels(of: $0, classes: classes, void: 255).ids }
    }

    @Test func namesMayEndDifferentlyInOneFolderOrTwo() throws {
        try withAnnotatedFolder { folder in
            for name in ["b", "a/c"] {
                try folder.picture("set/\(name)_photo.jpg", 3, 1)
                try folder.write(label([0, 1, 2]), to: "set/\(name)_mask.png")
                try folder.write(label([2, 1, 0]), to: "masks/\(name)_mask.png")
            }
            try folder.picture("set/other.jpg", 3, 1)
            let one = try SegmentationFolder(
                images: folder.file("set"), labels: folder.file("set"), imageSuffix: "_photo", labelSuffix: "_mask")
            #expect(one.count == 2 && one.description(of: 0).hasSuffix("a/c_photo.jpg"))
            #expect(try ids(one) == [[0, 1, 2], [0, 1, 2]])
            let two = try SegmentationFolder(
                images: folder.file("set"), labels: folder.file("masks"), imageSuffix: "_photo", labelSuffix: "_mask")
            #expect(try ids(two) == [[2, 1, 0], [2, 1, 0]])
            let error = #expect(throws: IndexError.self) {
                try SegmentationFolder(
                    images: folder.file("set"), labels: folder.file("set"), imageSuffix: "_x", labelSuffix: "_mask")
            }
            #expect("\(error!)".contains("ends in '_x'"))
        }
    }

    @Test func ofVOCTheIndicesOfPalettesAreTheClasses() throws {
        try withAnnotatedFolder { folder in
            for name in ["2007_1", "2007_2"] {
                try folder.picture("JPEGImages/\(name).jpg", 3, 1)
                try folder.write(label([0, 20, 255], .palette), to: "SegmentationClass/\(name).png")
            }
            try folder.write("2007_2\n2007_1\n", to: "ImageSets/Segmentation/train.txt")
            let set = try SegmentationFolder(voc: folder.file(""), list: "train")
            #expect(set.count == 2 && set.description(of: 0).hasSuffix("2007_2.jpg"))
            #expect(try ids(set, classes: 21) == [[0, 20, 255], [0, 20, 255]])
            for (line, words) in [("2007_3", "no such picture"), ("../x", "does not lead"), ("", "names no picture")] {
                try folder.write(line, to: "ImageSets/Segmentation/val.txt")
                let error = #expect(throws: (any Error).self) {
                    try SegmentationFolder(voc: folder.file(""), list: "val")
                }
                #expect("\(error!)".contains("val.txt") && "\(error!)".contains(words), "\(error!)")
            }
        }
    }

    @Test func ofCityscapesTheIdsBecomeThoseThatAreTrained() throws {
        try withAnnotatedFolder { folder in
            let stem = "val/ulm/ulm_000000_000019"
            try folder.write(
                PlainPNG(4, 1, .rgb, [Int](repeating: 9, count: 12)).bytes, to: "leftImg8bit/\(stem)_leftImg8bit.png")
            try folder.write(label([0, 0, 1, 2]), to: "gtFine/\(stem)_gtFine_labelTrainIds.png")
            try folder.write(label([5, 5, 5, 5]), to: "gtFine/\(stem)_gtFine_instanceIds.png")
            #expect(try ids(SegmentationFolder(cityscapes: folder.file(""), split: "val")) == [[0, 0, 1, 2]])
            try folder.write(label([7, 33, 0, 255]), to: "gtFine/\(stem)_gtFine_labelIds.png")
            #expect(try ids(SegmentationFolder(cityscapes: folder.file(""), split: "val")) == [[0, 18, 255, 255]])
            #expect(Cityscapes.classNames.count == 19)
        }
    }

    @Test func labelsOfRealPicturesAreTheirClasses() throws {
        let project = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        let root = project.removingLastComponent().pushing(FilePath("shared/data/camvid/val"))
        guard FileSystem.exists(root) else { return }
        let set = try SegmentationFolder(images: root.appending("images"), labels: root.appending("labels"))
        #expect(set.count == 101)
        let pixels = try set.verify(classes: 11, void: 11)
        #expect(pixels.reduce(0, +) == 101 * 480 * 360 && pixels[..<11].allSatisfy { $0 > 0 })
    }
}
