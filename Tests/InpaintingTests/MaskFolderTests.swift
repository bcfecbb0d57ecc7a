import Files
import ImagePipeline
import Inpainting
import SystemPackage
import TestSupport
import Testing

@Suite struct MaskFolderTests {
    /// A picture's mask has its name below the folder, whatever leads to the picture.
    @Test func masksAreFoundByWhatLiesBelowAnyFolder() throws {
        try withTemporaryDirectory { path in
            let folder = FilePath(path)
            for name in ["photos/a", "b"] { try writeMask(to: folder.appending(name + ".png")) }
            let masks = try MaskFolder(folder)
            for name in ["photos/a.jpg", "../photos/a.jpg", "/photos/a.jpg", "b.jpg", "deep/b.jpg"] {
                #expect(try masks.mask(of: FilePath(name), height: 16, width: 16).height == 16, "\(name)")
            }
            let error = #expect(throws: ImageError.self) {
                try masks.mask(of: "../photos/c.jpg", height: 16, width: 16)
            }
            #expect(error.map { $0.reason.contains("no mask photos/c.png for it") } == true)
        }
    }

    /// A mask that went away after the folder was listed costs its picture, and not the others.
    @Test func aMaskThatCannotBeReadSkipsItsPicture() throws {
        try withTemporaryDirectory { path in
            let folder = FilePath(path)
            try writeMask(to: folder.appending("a.png"))
            let masks = try MaskFolder(folder)
            try FileSystem.remove(folder.appending("a.png"))
            let error = #expect(throws: ImageError.self) { try masks.mask(of: "a.jpg", height: 16, width: 16) }
            #expect(error.map { $0.reason.contains("its mask cannot be read: ") } == true)
        }
    }

    /// White above, black below.
    private func writeMask(to path: FilePath) throws {
        let pixels = [UInt8](repeating: 255, count: 8 * 16 * 3) + [UInt8](repeating: 0, count: 8 * 16 * 3)
        try FileSystem.makeDirectories(path.removingLastComponent())
        try WholeFile.write(try encodePNG(rgb: pixels, width: 16, height: 16), to: path)
    }
}
