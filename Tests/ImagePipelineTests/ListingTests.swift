import Files
import Foundation
import ImagePipeline
import SystemPackage
import TestSupport
import Testing

/// A folder of pictures that a test fills.
private struct Pictures {
    let folder: FilePath
    private static let jpeg = try! encodeJPEG(rgb: testPicture(20, 10).pixels, width: 20, height: 10)

    func path(_ name: String) -> FilePath { folder.appending(name) }

    /// Writes a JPEG, or other bytes, under a name that may hold any bytes.
    func add(_ name: String, _ bytes: [UInt8] = jpeg) throws { try add(FilePath(name), bytes) }

    func add(_ name: FilePath, _ bytes: [UInt8] = jpeg) throws {
        let path = folder.pushing(name)
        try FileSystem.makeDirectories(path.removingLastComponent())
        try WholeFile.write(to: path, isDurable: false) { try $0.append(bytes) }
    }

    static func with(_ body: (Pictures) throws -> Void) throws {
        try withTemporaryDirectory { try body(Pictures(folder: FilePath($0).appending("pictures"))) }
    }

    func index(_ roots: FilePath...) throws -> ImageIndex { try ImageIndex(roots: roots.isEmpty ? [folder] : roots) }
}

extension ImageIndex {
    /// Names below the folder that all share.
    fileprivate func names(below folder: FilePath) -> [String] {
        (0..<count).map { String(description(of: $0).dropFirst(folder.shown.count + 1)) }
    }

    fileprivate var skipped: [String: String] {
        Dictionary(leftOut.skipped.map { ($0.path.split(separator: "/").last.map(String.init)!, $0.reason) }) { $1 }
    }
}

@Suite struct ListingTests {
    @Test func shardsBesidePicturesAndInSubFoldersAreTakenToo() throws {
        try Pictures.with { pictures in
            for name in ["a.jpg", "b.jfif", "c.JPE", "old/d.jpeg"] { try pictures.add(name) }
            try pictures.add("backup.tar", tar([TarEntry("e.jpg"), TarEntry("notes.txt")]))
            try pictures.add("old/deeper/f.tar", tar([TarEntry("g.jpg")]))
            try pictures.add("more.tar.gz", [0x1F, 0x8B])
            let index = try pictures.index()
            #expect(
                index.names(below: pictures.folder) == [
                    "a.jpg", "b.jfif", "c.JPE", "old/d.jpeg", "backup.tar/e.jpg", "old/deeper/f.tar/g.jpg",
                ])
            #expect(index.label(of: 4) == nil && index.classNames == ["old"] && index.label(of: 5) == 0)
            #expect(index.leftOut.ignored == [".txt": 1])
            #expect(index.skipped["more.tar.gz"]?.contains("compressed") == true)
        }
    }

    @Test func namesKeepTheirBytesAndAreShownEscaped() throws {
        try Pictures.with { pictures in
            let odd = FilePath(bytes: Array("latin1-".utf8) + [0xE9, 0x74, 0xE9] + Array(".jpg".utf8))
            let folder = FilePath(bytes: Array("caf".utf8) + [0xE9])
            try pictures.add(odd)
            try pictures.add(folder.appending("a.jpg"))
            try pictures.add("line\nbreak\u{1B}[31m.jpg")
            let index = try ImageIndex(serialized: try pictures.index().serialized)
            #expect(
                index.names(below: pictures.folder) == [
                    "caf\\xE9/a.jpg", "latin1-\\xE9t\\xE9.jpg", "line\\nbreak\\x1B[31m.jpg",
                ])
            for picture in 0..<index.count { _ = try ImageDecoder.decode(try index.bytes(of: picture)) }
            #expect(index.classNames.map { shownText($0) } == ["caf\\xE9"])
            #expect(try pictures.index(pictures.folder.pushing(folder)).count == 1)
            #expect(try DataScan(roots: [pictures.folder]).report.contains("caf\\xE9 (1)"))
        }
    }

    @Test func whatIsNoFileIsSkippedAndNamed() throws {
        try Pictures.with { pictures in
            for name in ["1.jpg", "2.jpg", "data.tar/a.jpg", "holiday.jpg/b.jpg"] { try pictures.add(name) }
            #expect(mkfifo(pictures.path("pipe.jpg").string, 0o600) == 0)
            #expect(symlink("nowhere.jpg", pictures.path("0.jpg").string) == 0)
            #expect(symlink("1.jpg", pictures.path("3.jpg").string) == 0)
            let index = try pictures.index()
            #expect(
                index.names(below: pictures.folder)
                    == ["1.jpg", "2.jpg", "3.jpg", "data.tar/a.jpg", "holiday.jpg/b.jpg"])
            #expect(index.skipped["pipe.jpg"]?.contains("a pipe") == true)
            #expect(index.skipped["0.jpg"]?.contains("a link to nothing") == true)
            #expect(try DataScan(roots: [pictures.folder]).report.contains("5 images are used, 2 skipped"))
            try index.verifyReadable(isElsewhere: true)
            let pipe = #expect(throws: FileError.self) { try pictures.index(pictures.path("pipe.jpg")) }
            #expect(pipe?.description.contains("a pipe") == true)
        }
    }

    @Test(.enabled(if: getuid() == 0, "needs another user to be"))
    func aFolderThatMayNotBeReadIsSkippedAndNamed() throws {
        try Pictures.with { pictures in
            try pictures.add("a.jpg")
            try pictures.add("lost+found/b.jpg")
            #expect(chmod(pictures.path("lost+found").string, 0) == 0)
            for path in [pictures.folder, FileSystem.parent(of: pictures.folder)] { chmod(path.string, 0o755) }
            // Only this thread becomes another user to the file system: setuid(2) of the C library would change all.
            let setfsuid = unsafeBitCast(
                try #require(dlsym(nil, "setfsuid")), to: (@convention(c) (uid_t) -> Int32).self)
            #expect(setfsuid(65534) == 0)
            defer { _ = setfsuid(0) }
            let index = try pictures.index()
            #expect(index.count == 1 && index.skipped["lost+found"]?.contains("Permission denied") == true)
            #expect(throws: FileError.self) { try pictures.index(pictures.path("lost+found")) }
        }
    }

    @Test func runDirectoriesAreNeverListed() throws {
        try Pictures.with { pictures in
            try pictures.add("a.jpg")
            try pictures.add("run/pictures/loss.png")
            let own = try ImageIndex(roots: [pictures.folder], excluding: [pictures.path("run")])
            #expect(own.count == 1 && own.leftOut.skipped.map(\.reason).first?.contains("run") == true)
            #expect(try pictures.index().count == 2)
            try pictures.add("run/config.resolved.yaml", [])
            #expect(try pictures.index().count == 1)
        }
    }

    @Test func nothingCountsTwice() throws {
        try Pictures.with { pictures in
            for name in ["a/1.jpg", "b/2.jpg"] { try pictures.add(name) }
            #expect(symlink("a", pictures.path("z").string) == 0 && symlink("..", pictures.path("b/up").string) == 0)
            let index = try pictures.index(pictures.folder, pictures.path("b"), pictures.folder)
            #expect(index.names(below: pictures.folder) == ["a/1.jpg", "b/2.jpg"])
            #expect(index.skipped["z"]?.contains("taken once") == true && index.skipped["pictures"] == "is given twice")
            let other = try pictures.index(pictures.path("b"), pictures.folder)
            // The folder is met through a link first.
            #expect(other.names(below: pictures.folder) == ["b/2.jpg", "b/up/a/1.jpg"])
        }
    }

    @Test func filesAndListsOfFilesAreRoots() throws {
        try Pictures.with { pictures in
            for name in ["a.jpg", "b/c.jpg", "d/e.jpg"] { try pictures.add(name) }
            try pictures.add("f.tar", tar([TarEntry("g.jpg")]))
            #expect(try pictures.index(pictures.path("a.jpg"), pictures.path("f.tar")).count == 2)
            let whole = pictures.path("d/e.jpg").string
            try pictures.add(
                "list.txt", Array("\u{FEFF}# mine\r\na.jpg\tcat one \r\n   \nf.tar\nb\n\(whole)\tdog\na.jpg\n".utf8))
            let index = try pictures.index(pictures.path("list.txt"))
            #expect(
                index.names(below: pictures.folder) == ["d/e.jpg", "a.jpg", "f.tar/g.jpg", "b/c.jpg"]
                    && index.classNames == ["cat one", "dog"] && index.label(of: 1) == 0)
            #expect(index.skipped["a.jpg"]?.contains("twice") == true)
            for picture in 0..<index.count { _ = try index.bytes(of: picture) }
            // A folder that holds what a list names, too: whichever comes first.
            for roots in [["list.txt", "."], [".", "list.txt"], ["a.jpg", "."], [".", "./b/../a.jpg"]] {
                let both = try ImageIndex(roots: roots.map { pictures.folder.appending($0) })
                #expect(both.count == 4, "\(roots): \(both.names(below: pictures.folder))")
            }
            for (text, words) in [("a.jpg\nnone\n", "line 2"), ("list.txt\n", "neither"), ("\0", "nor a text file")] {
                try pictures.add("wrong.lst", Array(text.utf8))
                let error = #expect(throws: IndexError.self) { try pictures.index(pictures.path("wrong.lst")) }
                #expect(error?.description.contains(words) == true, "\(String(describing: error))")
            }
        }
    }

    @Test func aFolderWithoutPicturesSaysWhatItHolds() throws {
        try Pictures.with { pictures in
            for name in ["1.heic", "2.heic", "3.webp", "README"] { try pictures.add(name) }
            let error = #expect(throws: IndexError.self) { try pictures.index() }
            #expect(
                error?.description.contains("2 .heic, 1 without an ending, 1 .webp") == true,
                "\(String(describing: error))")
            try pictures.add("4.jpg", Array("version https://git-lfs.github.com/spec/v1\noid sha256:1\n".utf8))
            let scan = try DataScan(roots: [pictures.folder])
            #expect(scan.used == 0 && scan.report.contains("git lfs pull"), "\(scan.report)")
        }
    }

    @Test func anIndexFileThatIsNoneHoldsNothingUp() throws {
        for make in [
            { mkfifo($0, 0o600) }, { mkdir($0, 0o700) }, { symlink("nowhere", $0) },
        ] as [@Sendable (String) -> Int32] {
            try Pictures.with { pictures in
                try pictures.add("a.jpg")
                #expect(make(pictures.path("index.tsv").string) == 0)
                #expect(try pictures.index().count == 1)
            }
        }
    }

    @Test func aFileTooLargeForAPictureIsSkipped() throws {
        try Pictures.with { pictures in
            try pictures.add("a.jpg")
            try pictures.add("huge.jpg")
            #expect(truncate(pictures.path("huge.jpg").string, 2 << 40) == 0)
            let scan = try DataScan(roots: [pictures.folder])
            #expect(scan.used == 1 && scan.leftOut.skipped.first?.reason.contains("bytes") == true)
            let shards = pictures.folder.appending(suffix: "-shards")
            #expect(try DataPack(try pictures.index(), into: shards, maximumBytes: 1 << 20).pictures == 1)
        }
    }

    @Test func listingEndsWhenItIsTold() throws {
        struct Stop: Error {}
        try Pictures.with { pictures in
            for name in 0..<20 { try pictures.add("\(name).jpg") }
            var calls = 0
            #expect(throws: Stop.self) {
                try ImageIndex(roots: [pictures.folder]) {
                    calls += 1
                    if calls == 5 { throw Stop() }
                }
            }
            #expect(calls == 5)
        }
    }
}

@Suite struct PackingTests {
    @Test func anIndexOfOthersIsNotOurs() throws {
        try Pictures.with { pictures in
            for name in ["0.jpg", "1.jpg"] { try pictures.add(name) }
            try pictures.add("index.tsv", Array("picture\tweather\n0.jpg\train\n".utf8))
            #expect(try pictures.index().count == 2)
            try pictures.add("s.tar", tar([TarEntry("a.jpg")]))
            #expect(try pictures.index().count == 3)
        }
    }

    @Test func ourOwnIndexIsCheckedAndThatOfEarlyVersionsIsRead() throws {
        try Pictures.with { pictures in
            for name in ["golden retriever/a.jpg", "tab\tby/b.jpg", "c.jpg"] { try pictures.add(name) }
            let shards = pictures.folder.appending(suffix: "-shards"), index = shards.appending("index.tsv")
            #expect(try DataPack(try pictures.index(), into: shards, maximumBytes: 1 << 20).pictures == 3)
            func classes() throws -> [String?] {
                let index = try ImageIndex(roots: [shards])
                return (0..<index.count).map { index.label(of: $0).map { index.classNames[$0] } }
            }
            let expected = [nil, "golden retriever", "tab\tby"]
            #expect(try classes() == expected)
            let text = try WholeFile.text(of: index)
            let signature = text.prefix { $0 != "\n" }.count + 1
            try WholeFile.write(String(text.dropFirst(signature)).replacing("tab\\tby", with: "tabby"), to: index)
            #expect(try classes() == [nil, "golden retriever", "tabby"])
            try WholeFile.write(text.replacing("shard-000000.tar\t512", with: "shard-000000.tar\tx"), to: index)
            let damaged = #expect(throws: IndexError.self) { try classes() }
            #expect(damaged?.description.contains("line 2 is damaged") == true, "\(String(describing: damaged))")
            try FileSystem.remove(index)
            #expect(try classes() == expected)
        }
    }

    @Test func badPicturesAreLeftOutAndAnotherAttemptBeginsCleanly() throws {
        try Pictures.with { pictures in
            for name in ["a.jpg", "b.jpg"] { try pictures.add(name) }
            let index = try pictures.index(), shards = pictures.folder.appending(suffix: "-shards")
            try FileSystem.makeDirectories(shards.appending("shard-000000.tar.partial"))
            // A folder where the shard belongs makes the attempt fail.
            #expect(throws: FileError.self) { try DataPack(index, into: shards, maximumBytes: 1 << 20) }
            try FileSystem.removeTree(shards.appending("shard-000000.tar.partial"))
            #expect(try FileSystem.names(in: shards).isEmpty)
            try WholeFile.write("left by a crash", to: shards.appending("shard-000007.tar.partial"))
            try FileSystem.remove(pictures.path("a.jpg"))
            let pack = try DataPack(index, into: shards, maximumBytes: 1 << 20)
            #expect(
                pack.pictures == 1 && pack.shards == 1 && pack.leftOut.skipped.first?.path.hasSuffix("a.jpg") == true)
            #expect(try ImageIndex(roots: [shards]).count == 1)
            #expect(try FileSystem.names(in: shards).map(\.string) == ["index.tsv", "shard-000000.tar"])
            try FileSystem.remove(pictures.path("b.jpg"))
            #expect(throws: IndexError.self) {
                try DataPack(index, into: shards.appending("empty"), maximumBytes: 1 << 20)
            }
        }
    }
}
