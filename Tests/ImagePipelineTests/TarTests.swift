import Files
import ImagePipeline
import SystemPackage
import TestSupport
import Testing

/// Archives as other programs, and accidents, leave them.
@Suite struct OddTarTests {
    private func index(_ bytes: [UInt8]) throws -> (names: [String], classes: [String?], skipped: [String]) {
        try withTemporaryDirectory { folder in
            let path = FilePath("\(folder)/a.tar")
            try WholeFile.write(bytes, to: path)
            let index = try ImageIndex(roots: [path])
            for picture in 0..<index.count { _ = try ImageDecoder.decode(try index.bytes(of: picture)) }
            return (
                (0..<index.count).map { String(index.description(of: $0).dropFirst(path.shown.count + 1)) },
                (0..<index.count).map { index.label(of: $0).map { index.classNames[$0] } },
                index.leftOut.skipped.map { "\($0.path.dropFirst(folder.count + 1)): \($0.reason)" }
            )
        }
    }

    @Test func aVolumeLabelIsNoMember() throws {
        let found = try index(tar([TarEntry("backup-2026", kind: "V"), TarEntry("a.jpg")]))
        #expect(found.names == ["a.jpg"] && found.skipped.isEmpty)
    }

    @Test func joinedArchivesAreReadToTheEnd() throws {
        let found = try index(tar([TarEntry("a.jpg"), TarEntry("b.jpg")]) + tar([TarEntry("c.jpg")]))
        #expect(found.names == ["a.jpg", "b.jpg", "c.jpg"] && found.skipped.isEmpty)
    }

    @Test func linksStandForTheirMembers() throws {
        let found = try index(
            tar([
                TarEntry("d/soft.jpg", kind: "2", link: "../a.jpg"), TarEntry("a.jpg"),
                TarEntry("hard.jpg", kind: "1", link: "a.jpg"), TarEntry("chain.jpg", kind: "2", link: "hard.jpg"),
                TarEntry("lost.jpg", kind: "2", link: "/elsewhere.jpg"),
                TarEntry("loop.jpg", kind: "2", link: "loop.jpg"),
                TarEntry("../u/b.jpg"), TarEntry("/e/c.jpg"), TarEntry("u/hard.jpg", kind: "1", link: "../u/b.jpg"),
                TarEntry("e/hard.jpg", kind: "1", link: "/e/c.jpg"),
            ]))
        #expect(
            found.names == [
                "a.jpg", "chain.jpg", "d/soft.jpg", "e/c.jpg", "e/hard.jpg", "hard.jpg", "u/b.jpg", "u/hard.jpg",
            ])
        #expect(found.skipped.count == 2 && found.skipped.allSatisfy { $0.contains("not in the tar") })
    }

    @Test func longChainsOfLinksAreFollowedOnce() throws {
        let links = (0..<20_000).map { TarEntry("\($0).jpg", kind: "2", link: "\($0 + 1).jpg") }
        let start = ContinuousClock.now
        let bytes = tar(links + [TarEntry("20000.jpg")])
        try withTemporaryDirectory { folder in
            try WholeFile.write(bytes, to: "\(folder)/a.tar")
            #expect(try ImageIndex(roots: ["\(folder)/a.tar"]).count == 20_001)
        }
        // Once in seconds, link by link in many minutes.
        #expect(ContinuousClock.now - start < .seconds(60))
    }

    @Test func whatComesBeforeACutIsUsedAndTheCutIsSaid() throws {
        let whole = tar((0..<4).map { TarEntry("\($0).jpg") })
        let member = TarEntry("0.jpg").bytes.count
        for (cut, count) in [(member + 200, 1), (2 * member - 600, 1), (3 * member, 3), (member + 512, 1)] {
            let found = try index(Array(whole.prefix(cut)))
            #expect(found.names.count == count && found.skipped.count == 1, "\(cut)")
            #expect(found.skipped[0].contains("cut short"), "\(found.skipped)")
        }
        var damaged = whole
        damaged[2 * member] ^= 0x40
        let found = try index(damaged)
        #expect(found.names == ["0.jpg", "1.jpg"] && found.skipped[0].contains("damaged at byte \(2 * member)"))
        // A header that was lost among zeros looks like an end.
        var zeroed = TarEntry("0.jpg").bytes + TarEntry("1.jpg", contents: [UInt8](repeating: 7, count: 4096)).bytes
        zeroed.replaceSubrange(member..<member + 1024, with: [UInt8](repeating: 0, count: 1024))
        let before = try index(zeroed)
        #expect(before.names == ["0.jpg"] && before.skipped.count == 1, "\(before)")
        #expect(before.skipped[0].contains("behind its end, at byte \(member + 1024)"), "\(before)")
    }

    @Test func filesWithHolesAreSkippedAndNamed() throws {
        let record = Array("22 GNU.sparse.major=1\n".utf8)
        var old = TarEntry("old.jpg", kind: "S").bytes
        old.replaceSubrange(124..<135, with: Array("00000001000".utf8))
        old.replaceSubrange(148..<156, with: [UInt8](repeating: 32, count: 8))
        let sum = String(old.prefix(512).reduce(0) { $0 + Int($1) }, radix: 8)
        old.replaceSubrange(148..<155, with: Array((String(repeating: "0", count: 6 - sum.count) + sum).utf8) + [0])
        let found = try index(
            TarEntry("h", kind: "x", contents: record).bytes + TarEntry("new.jpg").bytes + old
                + [UInt8](repeating: 7, count: 512) + tar([TarEntry("a.jpg")]))
        #expect(found.names == ["a.jpg"] && found.skipped.count == 2, "\(found)")
        #expect(found.skipped.allSatisfy { $0.contains("holes") })
    }

    @Test func whatIsNoTarSaysWhatItIs() throws {
        for (bytes, word) in [([UInt8](repeating: 0x1F, count: 1) + [0x8B], "gzip"), (Array("hello".utf8), "no tar")] {
            let padded = bytes + [UInt8](repeating: 1, count: 2048)
            let error = #expect(throws: IndexError.self) { try index(padded) }
            #expect(error?.description.contains(word) == true, "\(String(describing: error))")
        }
    }

    @Test func classesComeFromClsFilesAndFolders() throws {
        func text(_ text: String) -> [UInt8] { Array(text.utf8) }
        let samples = try index(
            tar([
                TarEntry("1.cls", contents: text(" golden retriever \n")), TarEntry("1.jpg"), TarEntry("2.jpg"),
                TarEntry("2.cls", contents: text("golden eagle")), TarEntry("2.seg.png"), TarEntry("2.json"),
                TarEntry("3.left.jpg"), TarEntry("x.2020.jpg"), TarEntry("x.jpg"),
            ]))
        #expect(samples.names == ["1.jpg", "2.jpg", "3.left.jpg", "x.2020.jpg", "x.jpg"], "\(samples.names)")
        #expect(samples.classes == ["golden retriever", "golden eagle", nil, nil, nil])
        let folders = try index(tar([TarEntry("./train/cat/1.jpg"), TarEntry("./train/dog/2.jpg")]))
        #expect(folders.classes == ["cat", "dog"])
        #expect(try index(tar([TarEntry("cat/1.jpg"), TarEntry("cat/2.jpg")])).classes == ["cat", "cat"])
        let dotted = try index(
            tar([TarEntry("./top.jpg"), TarEntry("./cats/1.jpg"), TarEntry("./dogs/2.jpg"), TarEntry("./.t/3.jpg")]))
        #expect(dotted.names == ["cats/1.jpg", "dogs/2.jpg", "top.jpg"] && dotted.classes == ["cats", "dogs", nil])
        #expect(try index(tar([TarEntry("1.jpg")])).classes == [nil])
    }
}
