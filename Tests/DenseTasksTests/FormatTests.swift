import DenseTasks
import Files
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite struct FormatTests {
    private static func voc(_ objects: String, size: String = "<size><width>40</width><height>30</height></size>")
        -> String
    {
        "<?xml version=\"1.0\"?>\n<!-- made by hand -->\n<annotation verified='yes'><filename>x.jpg</filename>\(size)\(objects)</annotation>\n"
    }

    private static func object(_ name: String, _ corners: [String], more: String = "") -> String {
        let tags = zip(["xmin", "ymin", "xmax", "ymax"], corners).map { "<\($0)>\($1)</\($0)>" }.joined()
        return "<object><name>\(name)</name><bndbox>\(tags)</bndbox>\(more)</object>"
    }

    @Test func cornersOfVOCAreInclusiveAndCountFromOne() throws {
        try withAnnotatedFolder { folder in
            try folder.picture("JPEGImages/a.jpg", 40, 30)
            try folder.picture("JPEGImages/b.png.jpg", 40, 30)
            try folder.write(
                Self.voc(
                    Self.object("cat &amp; dog", ["1", " 2 ", "10.5", "20"], more: "<difficult>1</difficult>")
                        + Self.object(
                            "<![CDATA[ant]]>", ["11", "12", "20", "30"], more: "<part><name>leg</name></part>")),
                to: "Annotations/a.xml")
            try folder.write(
                Self.voc(
                    Self.object("ant", ["", "1", "5", "5"]) + Self.object("ant", ["9", "1", "5", "5"])
                        + "<object><name>ant</name></object>"), to: "Annotations/b.png.xml")
            try folder.write("a\nb.png  1\n\n", to: "ImageSets/Main/train.txt")
            for list in [nil, folder.file("ImageSets/Main/train.txt")] {
                let set = try AnnotatedImages(.voc(root: folder.file(""), list: list))
                #expect(set.categories.map(\.name) == ["ant", "cat & dog"])
                #expect(set.images.map(\.id) == [1, 2] && set.images.map(\.name.string) == ["a.jpg", "b.png.jpg"])
                let objects = set.images[0].objects
                #expect(objects.map(\.category) == [1, 0] && objects.map(\.isDifficult) == [true, false])
                #expect(objects[0].box == Box(x: 0, y: 1, width: 10.5, height: 19) && objects[0].area == 10.5 * 19)
                #expect(set.damage.count(.notANumber) == 1 && set.damage.count(.empty) == 1)
                #expect(set.damage.count(.malformed) == 1 && set.damage.first(.malformed)[0].item == "object 3")
            }
        }
    }

    @Test(
        arguments: [
            (
                "<!DOCTYPE annotation [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><annotation>&x;</annotation>",
                "document type"
            ),
            ("<annotation>&x;</annotation>", "an entity"), ("<annotation>&#xD800;</annotation>", "number expected"),
            ("<annotation><object></annotation>", "<object> is not closed"), ("<annotation>", "cut short"),
            ("<annotation/><annotation/>", "something follows"), ("", "an element expected"),
            ("<annotation a=1/>", "value of an attribute"), ("<html></html>", "begins with <html>"),
            ("<annotation><filename>../../x.jpg</filename></annotation>", "does not lead into"),
            ("<annotation><!-- ", "'-->' is missing"), ("<annotation>\u{0}", "cut short"),
            (String(repeating: "<a>", count: 40), "nested deeper"),
        ]) func damagedXMLIsRefusedWithItsLine(_ text: String, _ words: String) throws
    {
        try withAnnotatedFolder { folder in
            try folder.picture("JPEGImages/a.jpg", 40, 30)
            try folder.write(text, to: "Annotations/a.xml")
            let error = #expect(throws: FileError.self) {
                try AnnotatedImages(.voc(root: folder.file(""), list: nil))
            }
            #expect("\(error!)".contains("Annotations/a.xml") && "\(error!)".contains(words), "\(error!)")
        }
    }

    @Test func endingsMayBeCapitals() throws {
        try withAnnotatedFolder { folder in
            try folder.picture("JPEGImages/a.JPG", 40, 30)
            try folder.write(Self.voc(Self.object("ant", ["1", "1", "5", "5"])), to: "Annotations/a.XML")
            try folder.write("0 0.5 0.5 0.25 0.2\n", to: "labels/a.TXT")
            try folder.write("ant\n", to: "labels/classes.txt")
            for source in [
                AnnotationSource.voc(root: folder.file(""), list: nil),
                .yolo(pictures: folder.file("JPEGImages"), labels: folder.file("labels"), names: nil),
            ] {
                let set = try AnnotatedImages(source)
                #expect(set.images.map(\.objects.count) == [1] && set.damage.isEmpty, "\(set.damage.report)")
            }
        }
    }

    @Test func sharesOfYOLOAreOfTheWholePicture() throws {
        try withAnnotatedFolder { folder in
            try folder.picture("images/train/a.jpg", 40, 30)
            try folder.picture("images/train/b.jpg", 40, 30)
            try folder.write(
                "1 0.5 0.5 0.25 0.2\n\n0 0 0 0.5 0 0.5 1 0 1\n7 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1\n0 nan 0.5 0.1 0.1\n0 .5 .5 2 2\n",
                to: "labels/train/a.txt")
            try folder.write("0 0.5 0.5 0.1 0.1", to: "labels/train/c.txt")
            try folder.write("cat\nguide dog\n", to: "labels/classes.txt")
            let set = try AnnotatedImages(
                .yolo(pictures: folder.file("images"), labels: folder.file("labels"), names: nil))
            #expect(
                set.categories == [AnnotatedCategory(id: 0, name: "cat"), AnnotatedCategory(id: 1, name: "guide dog")])
            #expect(set.images.map(\.name.string) == ["train/a.jpg", "train/b.jpg"] && set.images[1].objects.isEmpty)
            let boxes = set.images[0].objects.map(\.box)
            #expect(
                boxes[0] == Box(x: 15, y: 12, width: 10, height: 6)
                    && boxes[1] == Box(x: 0, y: 0, width: 20, height: 30))
            #expect(boxes[2] == Box(x: 0, y: 0, width: 40, height: 30) && set.damage.count(.clipped) == 1)
            #expect(set.damage.first(.unknownClass).map(\.item) == ["line 4"])
            #expect(set.damage.first(.malformed).map(\.item) == ["line 5"])
            #expect(set.damage.first(.notANumber).map(\.item) == ["line 6"])
            #expect(set.damage.first(.orphan)[0].file.hasSuffix("train/c.txt"))
            try FileManager.default.removeItem(atPath: folder.path + "/labels/classes.txt")
            let unnamed = AnnotationSource.yolo(
                pictures: folder.file("images"), labels: folder.file("labels"), names: nil)
            let error = #expect(throws: FileError.self) { try AnnotatedImages(unnamed) }
            #expect("\(error!)".contains("names of the classes"))
        }
    }

    /// A box of stored pixels moves with them; one of the upright picture, as its size tells, stays.
    /// Tools write a list of classes to each folder, in an order of their own; editors a mark before the first word.
    @Test func aFoldersOwnListSaysWhatItsNumbersAre() throws {
        try withAnnotatedFolder { folder in
            try folder.picture("images/a.jpg", 40, 20)
            let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
            try folder.write(mark + Array("0 0.5 0.5 0.5 0.5\n".utf8), to: "labels/a.txt")
            try folder.write(mark + Array("dog\ncat\n".utf8), to: "labels/classes.txt")
            let source = AnnotationSource.yolo(
                pictures: folder.file("images"), labels: folder.file("labels"), names: nil)
            let own = try AnnotatedImages(source)
            #expect(own.categories.map(\.name) == ["dog", "cat"] && own.images[0].objects.map(\.category) == [0])
            let known = try AnnotatedImages(
                source, categories: [AnnotatedCategory(id: 0, name: "cat"), AnnotatedCategory(id: 1, name: "dog")])
            #expect(known.images[0].objects.map(\.category) == [1])
        }
    }

    @Test func anObjectWithoutANameIsOfNoClass() throws {
        try withAnnotatedFolder { folder in
            try folder.picture("JPEGImages/a.jpg", 40, 30)
            let corners = ["1", "1", "20", "20"]
            try folder.write(
                Self.voc(Self.object("ant", corners) + Self.object("", corners)), to: "Annotations/a.xml")
            let set = try AnnotatedImages(.voc(root: folder.file(""), list: nil))
            #expect(set.categories.map(\.name) == ["ant"] && set.images[0].objects.map(\.category) == [0])
            #expect(set.damage.report.contains { $0.contains("no name") }, "\(set.damage.report)")
        }
    }

    @Test(arguments: 1...8) func boxesTurnWithTheirPictures(_ orientation: Int) throws {
        try withAnnotatedFolder { folder in
            try folder.picture("images/a.jpg", 40, 30, orientation: UInt8(orientation))
            // Where columns 2 to 6 and rows 3 to 10 of 40 × 30 stored pixels go.
            let expected = [
                Box(x: 2, y: 3, width: 4, height: 7), Box(x: 34, y: 3, width: 4, height: 7),
                Box(x: 34, y: 20, width: 4, height: 7), Box(x: 2, y: 20, width: 4, height: 7),
                Box(x: 3, y: 2, width: 7, height: 4), Box(x: 20, y: 2, width: 7, height: 4),
                Box(x: 20, y: 34, width: 7, height: 4), Box(x: 3, y: 34, width: 7, height: 4),
            ][orientation - 1]
            let transposes = orientation >= 5
            func set(_ width: Int, _ height: Int) throws -> AnnotatedImages {
                try AnnotatedImages(
                    folder.coco(
                        images: [AnnotatedFolder.image(1, "a.jpg", width, height)],
                        annotations: [AnnotatedFolder.annotation(1, image: 1, "2,3,4,7")]))
            }
            let stored = try set(40, 30)
            #expect(
                stored.images[0].width == (transposes ? 30 : 40) && stored.images[0].height == (transposes ? 40 : 30))
            #expect(stored.images[0].objects[0].box == expected)
            #expect(stored.damage.count(.turned) == (orientation > 1 ? 1 : 0))
            #expect(stored.damage.count(.otherSize) == 0)
            if transposes {
                let upright = try set(30, 40)
                #expect(upright.images[0].objects[0].box == Box(x: 2, y: 3, width: 4, height: 7))
                #expect(upright.damage.isEmpty)
            }
        }
    }

    /// Its programs turn pictures before they read the shares.
    @Test func sharesOfYOLOAreOfTheTurnedPicture() throws {
        try withAnnotatedFolder { folder in
            try folder.picture("images/a.jpg", 40, 30, orientation: 6)
            try folder.write("0 0.5 0.25 0.2 0.1\n", to: "labels/a.txt")
            let set = try AnnotatedImages(
                .yolo(pictures: folder.file("images"), labels: folder.file("labels"), names: ["cat"]))
            #expect(set.images[0].width == 30 && set.images[0].height == 40 && set.damage.isEmpty)
            #expect(set.images[0].objects[0].box == Box(x: 12, y: 8, width: 6, height: 4))
        }
    }

    @Test func theSameBoxesOfRealPicturesInBothFormats() throws {
        let project = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        let root = project.removingLastComponent().appending("shared").appending("data").appending("raccoon")
        guard FileSystem.exists(root) else { return }
        for (list, count) in [("trainval", 150), ("test", 50)] {
            let voc = try AnnotatedImages(.voc(root: root, list: root.pushing(FilePath("ImageSets/Main/\(list).txt"))))
            let coco = try AnnotatedImages(
                .coco(file: root.pushing(FilePath("annotations/\(list).json")), pictures: root.appending("JPEGImages")))
            #expect(voc.images.count == count && coco.images.count == count)
            #expect(voc.images.map(\.name) == coco.images.map(\.name))
            #expect(
                voc.categories.map(\.name) == ["raccoon"]
                    && coco.categories == [AnnotatedCategory(id: 7, name: "raccoon")])
            for (a, b) in zip(voc.images, coco.images) {
                #expect(a.objects.map(\.box) == b.objects.map(\.box), "\(a.name)")
                #expect(a.width == b.width && a.height == b.height)
            }
            #expect(voc.images.contains { !$0.objects.isEmpty })
        }
    }
}
