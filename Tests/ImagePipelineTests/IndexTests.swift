import Files
import Foundation
import ImagePipeline
import SystemPackage
import TensorCore
import TestSupport
import Testing

@Suite struct IndexTests {
    @Test func listsTreesInOrderWithClasses() throws {
        try withPictures(6) { folder in
            try Data().write(to: URL(fileURLWithPath: folder + "/class0/._100.jpg"))
            try Data().write(to: URL(fileURLWithPath: folder + "/class0/notes.txt"))
            try Data().write(to: URL(fileURLWithPath: folder + "/UPPER.JPEG"))
            let index = try ImageIndex(roots: [FilePath(folder)])
            #expect(
                index.count == 7 && index.leftOut.ignored == [".txt": 1] && index.classNames == ["class0", "class1"])
            let names = (0..<7).map { index.description(of: $0).dropFirst(folder.count + 1) }
            #expect(names == names.sorted() && names.first == "UPPER.JPEG")
            #expect(index.label(of: 0) == nil && index.label(of: 1) == 0 && index.label(of: 6) == 1)
            try index.verifyReadable(isElsewhere: false)
        }
    }

    /// A run that goes on lists nothing while nothing has changed.
    @Test func aKeptListIsAsGoodAsANewOne() throws {
        try withPictures(6) { folder in
            let kept = FilePath(folder + "-kept")
            defer { try? FileManager.default.removeItem(atPath: folder + "-kept") }
            func age() throws {
                let old = [FileAttributeKey.modificationDate: Date(timeIntervalSinceNow: -100)]
                for name in ["", "/class0", "/class1"] {
                    try FileManager.default.setAttributes(old, ofItemAtPath: folder + name)
                }
            }
            /// The list, and whether anything was listed for it.
            func list() throws -> (index: ImageIndex, isNew: Bool) {
                var count = 0
                let index = try ImageIndex(roots: [FilePath(folder)], excluding: [], keptIn: kept) { count += 1 }
                return (index, count > 0)
            }
            #expect(try list().isNew && list().isNew, "folders that changed a moment ago may change again unseen")
            try age()
            #expect(try list().isNew)
            let again = try list()
            #expect(try !again.isNew && again.index.serialized == ImageIndex(roots: [FilePath(folder)]).serialized)
            try FileManager.default.removeItem(atPath: again.index.description(of: 5))
            #expect(try list().index.count == 5)
            try age()
            #expect(try list().isNew && !list().isNew)
            try FileManager.default.copyItem(
                atPath: again.index.description(of: 0), toPath: folder + "/class1/new.jpg")
            #expect(try list().index.count == 6)
            try age()
            _ = try list()
            var bytes = try Data(contentsOf: URL(fileURLWithPath: kept.string))
            bytes.removeLast(20)
            try bytes.write(to: URL(fileURLWithPath: kept.string))
            let anew = try list()
            #expect(anew.isNew && anew.index.count == 6, "half a file")
            #expect(try ImageIndex(roots: [FilePath(folder + "/class0")], excluding: [], keptIn: kept) {}.count < 6)
        }
    }

    @Test func survivesTheJourneyToOtherRanks() throws {
        try withPictures(6) { folder in
            let index = try ImageIndex(roots: [FilePath(folder), FilePath(folder + "/class1")])
            let copy = try ImageIndex(serialized: index.serialized)
            #expect(copy.count == index.count && copy.classNames == index.classNames)
            for i in 0..<index.count {
                #expect(copy.description(of: i) == index.description(of: i) && copy.label(of: i) == index.label(of: i))
                #expect(try copy.bytes(of: i) == index.bytes(of: i))
            }
            let bytes = index.serialized
            for cut in [0, 7, 20, bytes.count - 1] {
                #expect(throws: PackedReader.Damaged.self) { try ImageIndex(serialized: Array(bytes.prefix(cut))) }
            }
        }
    }

    @Test func aFingerprintTellsListsApartWhereverTheyLie() throws {
        try withPictures(6) { folder in
            func fingerprint(_ roots: String...) throws -> Int {
                try ImageIndex(roots: roots.map { FilePath($0) }).fingerprint
            }
            let first = try fingerprint(folder)
            #expect((1..<1 << 52).contains(first))
            try withTemporaryDirectory { directory in
                try FileManager.default.copyItem(atPath: folder, toPath: directory + "/moved")
                #expect(try fingerprint(directory + "/moved") == first)
            }
            let (one, other) = (folder + "/class0", folder + "/class1")
            #expect(try fingerprint(one, other) == fingerprint(other, one))
            let name = try #require(FileManager.default.contentsOfDirectory(atPath: one).sorted().first)
            try FileManager.default.moveItem(atPath: "\(one)/\(name)", toPath: "\(one)/a\(name)")
            #expect(try fingerprint(folder) != first)
            try FileManager.default.moveItem(atPath: "\(one)/a\(name)", toPath: "\(one)/\(name)")
            #expect(try fingerprint(folder) == first)
            try FileManager.default.removeItem(atPath: "\(one)/\(name)")
            #expect(try fingerprint(folder) != first)
        }
    }

    @Test func missingEmptyAndVanishedFoldersAreErrors() throws {
        let missing = #expect(throws: FileError.self) { try ImageIndex(roots: ["/nowhere"]) }
        #expect(missing?.description.contains("/nowhere") == true)
        try withTemporaryDirectory { folder in
            #expect(throws: IndexError.self) { try ImageIndex(roots: [FilePath(folder)]) }
        }
        try withPictures(4) { folder in
            let index = try ImageIndex(roots: [FilePath(folder)])
            try FileManager.default.removeItem(atPath: folder + "/class0")
            try index.verifyReadable(isElsewhere: true)
            try FileManager.default.removeItem(atPath: folder + "/class1")
            let gone = #expect(throws: IndexError.self) { try index.verifyReadable(isElsewhere: true) }
            #expect(gone?.description.contains("mounted on every host") == true)
            let here = #expect(throws: IndexError.self) { try index.verifyReadable(isElsewhere: false) }
            #expect(here?.description.contains("host") == false)
        }
    }
}

@Suite struct TarTests {
    @Test func packedShardsHoldTheSameBytes() throws {
        try withPictures(9) { folder in
            let index = try ImageIndex(roots: [FilePath(folder)])
            let shards = folder + "-shards"
            defer { try? FileManager.default.removeItem(atPath: shards) }
            #expect(try DataPack(index, into: FilePath(shards), maximumBytes: 12_000).shards > 1)
            let packed = try ImageIndex(roots: [FilePath(shards)])
            // The same shards read by their headers alone.
            try FileManager.default.removeItem(atPath: shards + "/index.tsv")
            let scanned = try ImageIndex(roots: [FilePath(shards)])
            for other in [packed, scanned] {
                #expect(other.count == index.count && other.classNames == index.classNames)
                for i in 0..<index.count {
                    #expect(try other.bytes(of: i) == index.bytes(of: i) && other.label(of: i) == index.label(of: i))
                }
            }
            #expect(throws: IndexError.self) { try DataPack(index, into: FilePath(shards), maximumBytes: 1 << 20) }
        }
    }

    @Test func archivesOfOthersAreRead() throws {
        try withPictures(4) { folder in
            let files = try ImageIndex(roots: [FilePath(folder)])
            let originals = Set(try (0..<4).map { try files.bytes(of: $0) })
            // GNU tar with a name that needs its long-name extension.
            let long = "class0/" + String(repeating: "n", count: 120) + ".jpg"
            try FileManager.default.moveItem(atPath: folder + "/class0/100.jpg", toPath: folder + "/" + long)
            for format in ["gnu", "pax", "ustar"] {
                if format == "ustar" {
                    try FileManager.default.moveItem(atPath: folder + "/" + long, toPath: folder + "/class0/100.jpg")
                }
                let archive = folder + "/\(format).tar"
                let made = try runProcess(
                    "/usr/bin/env", ["tar", "--format=\(format)", "-cf", archive, "-C", folder, "class0", "class1"])
                #expect(made.status == 0, "\(made)")
                let index = try ImageIndex(roots: [FilePath(archive)])
                #expect(index.count == 4)
                #expect(Set(try (0..<4).map { try index.bytes(of: $0) }) == originals, "\(format)")
                try FileManager.default.removeItem(atPath: archive)
            }
        }
    }

    @Test func changedArchivesNeverCrash() throws {
        try withPictures(3) { folder in
            let archive = folder + "/a.tar"
            _ = try runProcess("/usr/bin/env", ["tar", "-cf", archive, "-C", folder, "class0", "class1"])
            let whole = try Data(contentsOf: URL(fileURLWithPath: archive))
            var generator = KeyedGenerator(9)
            var refused = 0
            for _ in 0..<300 {
                var bytes = whole
                for _ in 0..<3 {
                    bytes[generator.integer(below: 512 * 3)] = UInt8(truncatingIfNeeded: generator.next())
                }
                if generator.chance(0.3) { bytes = bytes.prefix(generator.integer(below: bytes.count)) }
                try bytes.write(to: URL(fileURLWithPath: archive))
                do {
                    refused += try ImageIndex(roots: [FilePath(archive)]).leftOut.skippedCount
                } catch is IndexError {
                    refused += 1
                }
            }
            #expect(refused > 50)
        }
    }
}

@Suite struct SegmentationFolderTests {
    private func withPairs(_ body: (_ images: String, _ labels: String) throws -> Void) throws {
        try withTemporaryDirectory { folder in
            let (images, labels) = (folder + "/images", folder + "/labels")
            for path in [images, labels] {
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            }
            for i in 0..<3 {
                try Data(try encodeJPEG(rgb: testPicture(20, 10).pixels, width: 20, height: 10))
                    .write(to: URL(fileURLWithPath: images + "/\(i).jpg"))
                try Data(try encodePNG(gray: [UInt8](repeating: UInt8(i), count: 200), width: 20, height: 10))
                    .write(to: URL(fileURLWithPath: labels + "/\(i).png"))
            }
            try body(images, labels)
        }
    }

    @Test func pairsByName() throws {
        try withPairs { images, labels in
            let folder = try SegmentationFolder(images: FilePath(images), labels: FilePath(labels))
            #expect(folder.count == 3)
            #expect(try folder.labels(of: 2, classes: 3, void: nil).ids.allSatisfy { $0 == 2 })
            #expect(try folder.verify(classes: 2, void: 2).prefix(4) == [200, 200, 200, 0])
        }
    }

    @Test func foldersOfLabelsMirrorThoseOfPicturesOrAreFlatWhereNamesAreUnique() throws {
        try withPairs { images, labels in
            func move(_ folder: String, _ from: String, _ to: String) throws {
                let target = URL(fileURLWithPath: folder + "/" + to)
                try FileManager.default.createDirectory(
                    at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
                try FileManager.default.moveItem(atPath: folder + "/" + from, toPath: target.path)
            }
            func ids() throws -> [UInt8] {
                let folder = try SegmentationFolder(images: FilePath(images), labels: FilePath(labels))
                return try (0..<folder.count).map { try folder.labels(of: $0, classes: 3, void: nil).ids[0] }
            }
            try move(images, "0.jpg", "a/x.jpg")
            try move(labels, "0.png", "x.PNG")
            #expect(try ids() == [1, 2, 0])
            try move(images, "1.jpg", "b/x.jpg")
            let shared = #expect(throws: IndexError.self) { try ids() }
            #expect(
                shared?.description.contains("a/x.jpg and ") == true && shared?.description.contains("x.PNG") == true)
            try move(labels, "1.png", "b/x.png")
            #expect(try ids() == [2, 0, 1])
        }
    }

    @Test func aPhotoThatExifTurnsIsSaidToBe() throws {
        try withPairs { images, labels in
            let turned = try Data(contentsOf: URL(fileURLWithPath: images + "/0.jpg"))
            let exif: [UInt8] = [
                0xFF, 0xE1, 0, 34, 0x45, 0x78, 0x69, 0x66, 0, 0, 0x4D, 0x4D, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0,
                0, 0,
                1, 0, 6, 0, 0, 0, 0, 0, 0,
            ]
            try (turned.prefix(2) + exif + turned.dropFirst(2)).write(to: URL(fileURLWithPath: images + "/0.jpg"))
            let folder = try SegmentationFolder(images: FilePath(images), labels: FilePath(labels))
            let error = #expect(throws: IndexError.self) { try folder.verify(classes: 3, void: nil) }
            #expect(error?.description.contains("EXIF") == true, "\(String(describing: error))")
        }
    }

    @Test func whatDoesNotFitIsNamed() throws {
        try withPairs { images, labels in
            let folder = try SegmentationFolder(images: FilePath(images), labels: FilePath(labels))
            let unknown = #expect(throws: IndexError.self) { try folder.verify(classes: 2, void: 255) }
            #expect(unknown?.description.contains("2.png") == true && unknown?.description.contains("id 2") == true)
            try Data(try encodePNG(gray: [0, 0, 0, 0], width: 2, height: 2))
                .write(to: URL(fileURLWithPath: labels + "/1.png"))
            let size = #expect(throws: IndexError.self) { try folder.verify(classes: 3, void: nil) }
            #expect(size?.description.contains("1.png has the size 2×2") == true)
            try FileManager.default.removeItem(atPath: labels + "/0.png")
            let missing = #expect(throws: IndexError.self) {
                try SegmentationFolder(images: FilePath(images), labels: FilePath(labels))
            }
            #expect(missing?.description.contains("0.png") == true)
        }
    }
}

@Suite struct SyntheticImagesTests {
    @Test func theSameSeedDrawsTheSameFiles() throws {
        try withTemporaryDirectory { folder in
            for (name, seed) in [("a", UInt64(1)), ("b", 1), ("c", 2)] {
                try SyntheticImages.write(
                    to: "\(folder)/\(name)", classes: 3, trainPerClass: 2, validationPerClass: 1, segmentationTrain: 2,
                    segmentationValidation: 1, imageSize: 48, seed: seed)
            }
            func bytes(_ name: String) throws -> [[UInt8]] {
                let index = try ImageIndex(roots: [
                    FilePath(folder + "/\(name)/images"), FilePath(folder + "/\(name)/segmentation"),
                ])
                return try (0..<index.count).map { try index.bytes(of: $0) }
            }
            #expect(try bytes("a") == bytes("b"))
            #expect(try bytes("a") != bytes("c"))
            let pairs = try SegmentationFolder(
                images: "\(folder)/a/segmentation/train/images", labels: "\(folder)/a/segmentation/train/labels")
            #expect(try pairs.verify(classes: 4, void: nil).reduce(0, +) == 2 * 48 * 48)
            #expect(Set(try pairs.labels(of: 0, classes: 4, void: nil).ids).count >= 2)
        }
    }
}
