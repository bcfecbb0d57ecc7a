import Files
import Foundation
import SystemPackage
import TestSupport
import Testing

@Suite struct ShownTextTests {
    @Test(
        arguments: [
            (Array("plain ä.jpg".utf8), "plain ä.jpg"), (Array("a\nb\t\u{1B}[31m".utf8), "a\\nb\\t\\x1B[31m"),
            ([0x63, 0xE9], "c\\xE9"), (Array("a\\b".utf8), "a\\\\b"), (Array("a\u{202E}b".utf8), "a\\u{202E}b"),
            (Array("\u{9B}m".utf8), "\\x9Bm"), ([0xF0, 0x9F, 0x98], "\\xF0\\x9F\\x98"), ([], ""),
        ] as [([UInt8], String)])
    func whatSteersATerminalIsEscaped(_ bytes: [UInt8], _ shown: String) {
        #expect(shownText(bytes) == shown)
    }

    @Test func textOfAPathGivesItsBytesBack() {
        let names: [[UInt8]] = [
            Array("plain".utf8), [0x66, 0xFF, 0xC3], [0xC0, 0xAF], Array("\u{10F7E9}".utf8), [0xED, 0xA0, 0x80],
            Array(1...255).filter { $0 != 0x2F },
        ]
        for name in names {
            let path = FilePath(bytes: name)
            #expect(path.bytes == name)
            #expect(FilePath(text: path.text) == path, "\(path.shown)")
            #expect(String(validating: Array(path.text.utf8), as: UTF8.self) != nil)
            #expect(shownText(path.text) == path.shown)
        }
    }
}

@Suite struct ExistenceTests {
    /// Whoever opens what cannot be looked at learns why; it is not taken for what was never there.
    @Test func onlyWhatIsNotThereIsNotThere() throws {
        try withTemporaryDirectory { folder in
            try WholeFile.write("x", to: "\(folder)/file")
            #expect(symlink("nothing", "\(folder)/link") == 0)
            #expect(FileSystem.exists("\(folder)/file") && FileSystem.exists("\(folder)/link"))
            #expect(!FileSystem.exists("\(folder)/none") && !FileSystem.exists("\(folder)/file/below"))
            #expect(symlink("round", "\(folder)/round") == 0)
            #expect(FileSystem.exists("\(folder)/round/below"))
            #expect(throws: FileError.self) { try WholeFile.text(of: "\(folder)/round/below") }
        }
    }
}

@Suite struct WholeFileTests {
    private func mode(_ path: String) throws -> mode_t {
        var status = stat()
        try #require(lstat(path, &status) == 0, "\(path)")
        return status.st_mode
    }

    @Test func linksAreWrittenThroughAndRightsStay() throws {
        try withTemporaryDirectory { folder in
            let file = "\(folder)/file"
            try WholeFile.write("old", to: FilePath(file))
            #expect(chmod(file, 0o640) == 0)
            #expect(symlink("file", "\(folder)/link") == 0 && symlink("\(folder)/link", "\(folder)/chain") == 0)
            try WholeFile.write("new", to: "\(folder)/chain")
            #expect(try WholeFile.text(of: FilePath(file)) == "new")
            #expect(try mode(file) & 0o777 == 0o640 && mode("\(folder)/chain") & S_IFMT == S_IFLNK)
            // A link to nothing makes what it names.
            #expect(symlink("fresh", "\(folder)/dangling") == 0)
            try WholeFile.write("x", to: "\(folder)/dangling")
            #expect(try WholeFile.text(of: "\(folder)/fresh") == "x")
            #expect(
                try FileSystem.names(in: FilePath(folder)).map(\.string) == [
                    "chain", "dangling", "file", "fresh", "link",
                ])
            #expect(symlink("b", "\(folder)/a") == 0 && symlink("a", "\(folder)/b") == 0)
            #expect(throws: FileError.self) { try WholeFile.write("x", to: "\(folder)/a") }
        }
    }

    @Test func pipesAndDevicesGetTheBytesAndStayWhatTheyAre() throws {
        try withTemporaryDirectory { folder in
            let pipe = "\(folder)/pipe"
            #expect(mkfifo(pipe, 0o600) == 0)
            let unread = #expect(throws: FileError.self) { try WholeFile.write("x", to: FilePath(pipe)) }
            #expect(unread?.reason.contains("nobody reads") == true)
            let reader = open(pipe, O_RDONLY | O_NONBLOCK)
            defer { close(reader) }
            try WholeFile.write("bytes", to: FilePath(pipe))
            var bytes = [UInt8](repeating: 0, count: 16)
            #expect(read(reader, &bytes, 16) == 5 && bytes.prefix(5).elementsEqual("bytes".utf8))
            #expect(try mode(pipe) & S_IFMT == S_IFIFO)
            // The links in /proc to a pipe spell no path.
            let writer = open(pipe, O_WRONLY)
            defer { close(writer) }
            try WholeFile.write("again", to: "/dev/fd/\(writer)")
            #expect(read(reader, &bytes, 16) == 5 && bytes.prefix(5).elementsEqual("again".utf8))
            try WholeFile.write("gone", to: "/dev/null")
            #expect(try mode("/dev/null") & S_IFMT == S_IFCHR)
            let folderRefused = #expect(throws: FileError.self) { try WholeFile.write("x", to: FilePath(folder)) }
            #expect(folderRefused != nil)
        }
    }

    @Test func theNameOfAnUnfinishedFileIsNobodyElses() throws {
        try withTemporaryDirectory { folder in
            let file = FilePath("\(folder)/file"), partial = "\(folder)/file.pixpro-partial"
            try WholeFile.write("victim", to: "\(folder)/victim")
            #expect(symlink("victim", partial) == 0)
            let error = #expect(throws: FileError.self) { try WholeFile.write("new", to: file) }
            #expect(error?.reason.contains("in the way") == true)
            #expect(try WholeFile.text(of: "\(folder)/victim") == "victim" && mode(partial) & S_IFMT == S_IFLNK)
            #expect(unlink(partial) == 0)
            // What a crash left goes.
            try WholeFile.write("half", to: FilePath(partial))
            try WholeFile.write("new", to: file)
            #expect(try FileSystem.names(in: FilePath(folder)).map(\.string) == ["file", "victim"])
        }
    }

    @Test func aFailedReplacementLeavesTheOldContentsAndNoRemains() throws {
        struct Failure: Error {}
        try withTemporaryDirectory { folder in
            let path = FilePath("\(folder)/file")
            try WholeFile.write("old", to: path)
            #expect(throws: Failure.self) {
                try WholeFile.write(to: path) { file in
                    try file.append(Array("half".utf8))
                    throw Failure()
                }
            }
            #expect(try WholeFile.text(of: path) == "old")
            #expect(try FileSystem.names(in: FilePath(folder)).count == 1)
        }
    }

    @Test func whatIsNoFileIsRefusedAtOnce() throws {
        try withTemporaryDirectory { folder in
            #expect(mkfifo("\(folder)/pipe", 0o600) == 0)
            for (name, word) in [("pipe", "a pipe"), (".", "a folder"), ("none", "No such file")] {
                let error = #expect(throws: FileError.self) { try InputFile(path: "\(folder)/\(name)") }
                #expect(error?.reason.contains(word) == true, "\(String(describing: error))")
            }
            try WholeFile.write("12345", to: "\(folder)/file")
            let file = try InputFile(path: "\(folder)/file")
            #expect(try file.bytes(1..<3) == Array("23".utf8))
            #expect(throws: FileError.self) { try file.bytes(3..<6) }
            #expect(throws: FileError.self) { try WholeFile.bytes(of: "\(folder)/file", limit: 4) }
        }
    }

    @Test func newFilesFollowTheUsersMask() throws {
        try withTemporaryDirectory { folder in
            let before = umask(0o002)
            defer { umask(before) }
            try WholeFile.write("x", to: "\(folder)/whole")
            try AppendedFile(path: "\(folder)/log").append(Array("x".utf8))
            #expect(try mode("\(folder)/whole") & 0o777 == 0o664 && mode("\(folder)/log") & 0o777 == 0o664)
        }
    }

    @Test func directoriesAreMadeListedAndRemoved() throws {
        try withTemporaryDirectory { folder in
            let odd = FilePath(bytes: Array("\(folder)/a/caf".utf8) + [0xE9])
            try FileSystem.makeDirectories(odd)
            try FileSystem.makeDirectories(odd)
            #expect(try FileSystem.names(in: "\(folder)/a").map(\.shown) == ["caf\\xE9"])
            #expect(symlink("/nowhere", "\(folder)/a/link") == 0)
            #expect(try FileKind(of: "\(folder)/a/link") == .nothing && FileKind(of: odd) == .directory)
            try FileSystem.removeTree("\(folder)/a")
            #expect(!FileSystem.exists("\(folder)/a"))
            let missing = #expect(throws: FileError.self) { try FileSystem.entries(in: "\(folder)/a") }
            #expect(missing?.description.hasPrefix(folder) == true)
        }
    }
}
