import Files
import Foundation
package import ImagePipeline
package import SystemPackage

/// The masks of pictures to be filled: a folder with one of each picture's name, or one file for all of them.
package struct MaskFolder {
    private let path: FilePath
    /// By their names below the folder, without endings; nil where `path` is one mask.
    private let files: [FilePath: FilePath]?

    /// Throws a `FileError` where there is nothing.
    package init(_ path: FilePath) throws {
        self.path = path
        guard FileSystem.isDirectory(path) else {
            // Whether it is there, and can be read, is found before any picture is looked at.
            _ = try WholeFile.bytes(of: path)
            files = nil
            return
        }
        let masks = try FolderTree.files(below: path).filter { ImageIndex.isPicture($0.lastComponent!) }
        guard !masks.isEmpty else { throw FileError(path: path, reason: "has no mask: no PNG, JPEG or TIFF is in it") }
        files = Dictionary(masks.map { ($0.withoutEnding, $0) }) { first, _ in first }
    }

    /// The mask of a picture of this name and upright size. Throws an `ImageError` where there is none that fits.
    package func mask(of picture: FilePath, height: Int, width: Int) throws -> HoleMask {
        let file = try file(of: picture)
        let mask: HoleMask
        do {
            mask = try HoleMask(try WholeFile.bytes(of: file))
        } catch let error as ImageError {
            throw ImageError("is not filled: its mask \(file.shown) \(error.reason)")
        } catch let error as FileError {
            throw ImageError("is not filled: its mask cannot be read: \(error)")
        }
        guard mask.height == height, mask.width == width else {
            throw ImageError(
                "is not filled: its mask \(file.shown) has the size \(mask.width)×\(mask.height), the picture, upright, "
                    + "\(width)×\(height); draw the mask at the picture's size")
        }
        return mask
    }

    /// In a mirrored tree, or in a flat folder.
    private func file(of picture: FilePath) throws -> FilePath {
        guard let files else { return path }
        let stem = picture.belowAnyFolder.withoutEnding
        guard
            let name = files[stem] ?? stem.lastComponent.flatMap({ files[FilePath(root: nil, components: $0)] })
        else { throw ImageError("is not filled: \(path.shown) has no mask \(stem.shown).png for it") }
        return path.pushing(name)
    }
}
