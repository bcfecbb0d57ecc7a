import Files
import ImagePipeline
import SystemPackage

/// Names from lists and folders, in an order that is the same on every host.
enum FileList {
    /// The first word of each line, such as VOC's lists have: names without an ending, or paths with one below a folder.
    static func names(_ list: FilePath) throws -> [FilePath] {
        try words(list).map { number, words in
            let name = words[0]
            guard let path = nameBelowFolder(name) else {
                throw FileError(
                    path: list, reason: "line \(number): '\(shownText(name))' does not lead into the set's folders")
            }
            return path
        }
    }

    /// The words of each line that has any, with its number from 1.
    static func words(_ list: FilePath) throws -> [(number: Int, words: [String])] {
        let bytes = try WholeFile.bytes(of: list, limit: 64 << 20).withoutByteOrderMark
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw FileError(path: list, reason: "is no list: it is not text in UTF-8")
        }
        return text.split(omittingEmptySubsequences: false) { $0.isNewline }.enumerated().compactMap { number, line in
            let words = line.split { $0 == " " || $0 == "\t" }.map(String.init)
            return words.isEmpty ? nil : (number + 1, words)
        }
    }

    /// Files of an ending, in small letters or capitals, in a folder and those below it, by their names without it.
    static func files(in folder: FilePath, ending: String) throws -> [FilePath: FilePath] {
        let files = try FolderTree.files(below: folder).filter { $0.extension?.lowercased() == ending }
        // Of several endings the first by bytes.
        return Dictionary(files.map { ($0.withoutEnding, $0) }) { first, _ in first }
    }
}

/// The pictures below a folder by their names without the ending.
struct PicturesByStem {
    private let pictures: [FilePath: FilePath]

    init(below folder: FilePath) throws {
        let files = try FolderTree.files(below: folder).filter { $0.lastComponent.map(ImageIndex.isPicture) ?? false }
        // Of several endings the first by bytes.
        pictures = Dictionary(files.map { ($0.withoutEnding, $0) }) { first, _ in first }
    }

    func picture(_ stem: FilePath) -> FilePath? { pictures[stem] }
    var stems: [FilePath] { pictures.keys.sorted(by: FilePath.areInOrder) }
}
