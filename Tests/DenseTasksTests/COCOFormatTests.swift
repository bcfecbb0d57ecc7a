import DenseTasks
import Files
import ImagePipeline
import MessagePassing
import SystemPackage
import TestSupport
import Testing

@Suite struct COCOFormatTests {
    private typealias Folder = AnnotatedFolder

    @Test func picturesAndObjectsComeInTheOrderOfTheirNumbers() throws {
        try withAnnotatedFolder { folder in
            try folder.picture("images/a/b.jpg", 40, 30)
            try folder.picture("images/c.jpg", 40, 30)
            let set = try AnnotatedImages(
                folder.coco(
                    images: [Folder.image(70, "c.jpg"), Folder.image(8, "a/b.jpg")],
                    annotations: [
                        Folder.annotation(1, image: 8, category: 9, "1,2,3.5,4", more: #","area":7.25,"iscrowd":1"#),
                        Folder.annotation(2, image: 8, "0,0,40,30", more: #","segmentation":[[1,2],{"counts":[1]}]"#),
                        Folder.annotation(3, image: 8, "0,0,4,3", more: #","area":null,"iscrowd":1"#),
                    ]))
            #expect(set.categories == [AnnotatedCategory(id: 3, name: "cat"), AnnotatedCategory(id: 9, name: "dog")])
            #expect(set.images.map(\.id) == [8, 70] && set.images.map(\.name.string) == ["a/b.jpg", "c.jpg"])
            #expect(set.images[1].objects.isEmpty && set.damage.isEmpty && set.damage.report.isEmpty)
            let objects = set.images[0].objects
            #expect(objects.map(\.category) == [1, 0, 0] && objects.map(\.isCrowd) == [true, false, true])
            #expect(objects.map(\.area) == [7.25, 1200, 12])
            #expect(objects[0].box == Box(x: 1, y: 2, width: 3.5, height: 4))
            #expect(set.index.count == 2 && set.index.description(of: 0).hasSuffix("images/a/b.jpg"))
            let truths = try set.truths(of: Array(set.images.indices))
            #expect(truths.images == [8, 70] && truths.categories == [3, 9])
            let exact = Detection(image: 8, category: 3, box: Box(x: 0, y: 0, width: 40, height: 30), score: 1)
            #expect(try truths.coco([exact]).at50! > 0.99)
            try set.damage.checkNothingIsLost()
        }
    }

    @Test func damageIsCountedAndNamedAndTheRestIsUsed() throws {
        try withAnnotatedFolder { folder in
            try folder.picture("images/a.jpg", 40, 30)
            let set = try AnnotatedImages(
                folder.coco(
                    images: [Folder.image(1, "a.jpg", 41, 30)],
                    annotations: [
                        Folder.annotation(1, image: 1, "-5,0,20,10"), Folder.annotation(2, image: 1, "50,0,20,10"),
                        Folder.annotation(3, image: 1, "5,5,0,10"), Folder.annotation(4, image: 1, "5,5,-3,10"),
                        Folder.annotation(5, image: 1, "5,NaN,3,10"), Folder.annotation(6, image: 1, "5,null,3,10"),
                        Folder.annotation(7, image: 1, category: 4, "5,5,3,10"),
                        Folder.annotation(8, image: 2, "5,5,3,10"),
                        Folder.annotation(1, image: 1, "5,5,3,10"), Folder.annotation(10, image: 1, "5,5,3"),
                        Folder.annotation(11, image: 1, "5,5,3,10", more: #","area":0"#),
                        Folder.annotation(12, image: 1, "39.5,5,8,10"), Folder.annotation(13, image: 1, "1e999,5,8,10"),
                        Folder.annotation(14, image: 1, "30.0000001,5,10,10"),
                        #"{"id":15,"image_id":1,"bbox":[1,1,2,2]}"#, #"{"id":16,"image_id":1,"category_id":3}"#,
                    ]))
            let objects = set.images[0].objects
            #expect(objects.map(\.box.x) == [0, 5, 30.0000001])
            #expect(objects[0].box == Box(x: 0, y: 0, width: 15, height: 10))
            #expect(objects[0].whole == Box(x: -5, y: 0, width: 20, height: 10))
            let expected: [AnnotationDamage.Kind: Int] = [
                .clipped: 1, .outside: 1, .empty: 4, .notANumber: 3, .unknownClass: 2, .orphan: 1, .duplicateID: 1,
                .malformed: 2, .otherSize: 1,
            ]
            for kind in AnnotationDamage.Kind.allCases {
                #expect(set.damage.count(kind) == expected[kind] ?? 0, "\(kind): \(set.damage.report)")
            }
            #expect(set.damage.first(.orphan)[0].item == "annotation 8")
            #expect(set.damage.first(.unknownClass).map(\.reason) == ["category_id 4", "no category_id"])
            let report = set.damage.report.joined(separator: "\n")
            let empty = set.damage.first(.empty).map(\.reason)
            #expect(empty.contains("[5.0, 5.0, 3.0, 10.0] of the area 0.0"), "\(empty)")
            #expect(report.contains("instances.json, annotation 5 ([5.0, nan, 3.0, 10.0])"), "\(report)")
            #expect(throws: AnnotationError.self) { try set.damage.checkNothingIsLost() }
        }
    }

    @Test func theFirstTenAreNamed() throws {
        try withAnnotatedFolder { folder in
            try folder.picture("images/a.jpg", 40, 30)
            let set = try AnnotatedImages(
                folder.coco(
                    images: [Folder.image(1, "a.jpg")],
                    annotations: (1...25).map { Folder.annotation($0, image: 1, $0 == 1 ? "1,1,4,4" : "1,1,0,4") }))
            #expect(set.damage.count(.empty) == 24 && set.damage.first(.empty).count == 10)
            #expect(set.damage.report[0].hasPrefix("24 boxes are smaller than a pixel and dropped: "))
            #expect(set.damage.report[0].hasSuffix("; and 14 more"))
        }
    }

    @Test func filesOfSomethingElseSayWhat() throws {
        try withAnnotatedFolder { folder in
            try folder.picture("images/a.jpg", 40, 30)
            let image = Folder.image(1, "a.jpg"), good = Folder.annotation(1, image: 1, "1,1,4,4")
            func refuse(_ source: AnnotationSource, _ words: String, _ location: SourceLocation = #_sourceLocation) {
                let error = #expect(throws: (any Error).self, sourceLocation: location) { try AnnotatedImages(source) }
                #expect("\(error!)".contains(words), "\(error!)", sourceLocation: location)
            }
            refuse(try folder.coco(images: [image, image], annotations: [good]), "two images with the id 1")
            refuse(
                try folder.coco(
                    images: [image], annotations: [good], categories: #"{"id":3,"name":"a"},{"id":3,"name":"b"}"#),
                "two categories with the id 3")
            refuse(
                try folder.coco(
                    images: [image], annotations: [good], categories: #"{"id":3,"name":"a"},{"id":4,"name":"a"}"#),
                "two categories of the name 'a'")
            for name in ["../a.jpg", "/a.jpg", "", "b/../../a.jpg", "a\\u0000.jpg"] {
                refuse(try folder.coco(images: [Folder.image(1, name)], annotations: [good]), "does not lead into")
            }
            refuse(
                try folder.coco(images: [Folder.image(1, "b.jpg"), Folder.image(2, "c.jpg")], annotations: [good]),
                "none of the 2 pictures")
            refuse(
                try folder.coco(images: [image, Folder.image(2, "c.jpg")], annotations: [good]),
                "1 of the 2 pictures that")
            refuse(
                try folder.coco(images: [image], annotations: [Folder.annotation(1, image: 1, category: 5, "1,1,4,4")]),
                "no object of")
            let coco = try folder.coco(images: [image], annotations: [good])
            for (text, words) in [
                ("[]", "'{' expected"), (#"{"images":[],"annotations":[]}"#, "has no 'categories'"),
                (#"{"images":[{"id":1"#, "',' expected"), (#"{"images":[{"id":1}]}"#, "without id or file_name"),
                (#"{"images":[{"id":1,"id":2}]}"#, "given twice"),
                (String(repeating: "[", count: 100), "'{' expected"),
                (#"{"x":"# + String(repeating: "[", count: 100), "nested deeper than 32"),
            ] {
                try folder.write(text, to: "instances.json")
                let error = #expect(throws: FileError.self) { try AnnotatedImages(coco) }
                #expect(
                    "\(error!)".contains("instances.json") && "\(error!)".contains(words)
                        || text == #"{"images":[{"id":1"#, "\(error!)")
            }
        }
    }

    /// The classes of validation are those of training, whatever their numbers.
    @Test func anotherSetsNumbersAreTakenByName() throws {
        try withAnnotatedFolder { folder in
            try folder.picture("images/a.jpg", 40, 30)
            let source = try folder.coco(
                images: [Folder.image(1, "a.jpg")],
                annotations: [
                    Folder.annotation(1, image: 1, category: 9, "1,1,4,4"), Folder.annotation(2, image: 1, "1,1,4,4"),
                ])
            let trained = [AnnotatedCategory(id: 1, name: "bird"), AnnotatedCategory(id: 2, name: "dog")]
            let set = try AnnotatedImages(source, categories: trained)
            #expect(set.categories == trained && set.images[0].objects.map(\.category) == [1])
            #expect(set.damage.first(.unknownClass).map(\.reason) == ["cat"])
        }
    }

    @Test func allRanksHoldTheSameSet() throws {
        try withAnnotatedFolder { folder in
            for place in 1...7 { try folder.picture("images/\(place).jpg", 40, 30, orientation: UInt8(place)) }
            let images = (1...7).map { place in
                Folder.image(place, "\(place).jpg", 40, 30)
            }
            let source = try folder.coco(
                images: images, annotations: (1...7).map { Folder.annotation($0, image: $0, "1,2,5,-\($0 % 2)") })
            let alone = try AnnotatedImages(source)
            for ranks in [1, 2, 3, 9] {
                let sets = try SimulatedRanks(ranks).run { try AnnotatedImages(source, communicator: $0) }
                #expect(sets.allSatisfy { $0 == alone })
            }
            // No rank is left waiting.
            try folder.write("{", to: "instances.json")
            for outcome in try SimulatedRanks(3).outcomes({ try AnnotatedImages(source, communicator: $0) }) {
                #expect(throws: AgreedError.self) { try outcome.get() }
            }
        }
    }
}
