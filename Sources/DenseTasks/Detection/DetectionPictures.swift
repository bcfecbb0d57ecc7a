import Files
package import ImagePipeline
package import Learning
import MessagePassing
import SystemPackage

/// The annotated pictures that a detector is trained on, the same on every rank.
package struct DetectionPictures: TrainingPictures {
    /// Where they are.
    let root: FilePath
    /// See `PictureRoots`.
    let advance: () throws -> Void
    package let annotated: AnnotatedImages
    /// What an epoch goes through. Where only a share of the pictures is used, each of them is here several times, so that
    /// an epoch, and with it the schedule, is as long as of all.
    package let images: [AnnotatedImage]
    package let index: ImageIndex
    package let notes: [String]
    package var facts: [String: String] { annotated.categories.facts }

    /// Collective; throws the same error on all ranks.
    package init(_ settings: DetectionSettings, _ roots: PictureRoots) throws {
        let communicator = roots.communicator
        advance = roots.advance
        root = try communicator.agree(on: "looking for the pictures") {
            guard roots.paths.count == 1, let root = roots.paths.first else {
                throw AnnotationError(
                    "detection takes the pictures of one folder, which data.annotations are of: data.roots has "
                        + "\(roots.paths.count)")
            }
            return root
        }
        let data = settings.data
        let all = try AnnotatedImages(
            settings.source(root, data.annotations), communicator: communicator, advance: roots.advance)
        let part = try communicator.agree(on: "choosing annotated pictures") {
            data.labelFraction == 1 ? all : try all.labelled(data.labelFraction, seed: UInt64(roots.seed))
        }
        try communicator.agree(on: "looking for objects to learn") { [root] in
            guard part.images.contains(where: { $0.objects.contains { !$0.isCrowd } }) else {
                throw AnnotationError(
                    "no picture of \(root.shown) has an object to learn: are the annotations those of another set? "
                        + part.damage.report.joined(separator: ". "))
            }
        }
        annotated = part
        images = all.images.indices.map { part.images[$0 % part.images.count] }
        index = ImageIndex(folder: all.folder, names: images.map(\.name))
        notes = Self.notes(part, of: all.images.count)
    }

    private static func notes(_ part: AnnotatedImages, of count: Int) -> [String] {
        let all = part.images.flatMap(\.objects), used = part.images.count
        let crowds = all.count(where: \.isCrowd), objects = all.count - crowds
        let names = part.categories.map(\.name)
        let classes = names.prefix(10).joined(separator: ", ") + (names.count > 10 ? ", …" : "")
        return [
            "\(objects) objects of \(names.count) classes (\(classes)) in \(used) pictures"
                + (crowds > 0 ? ", and \(crowds) crowds, which are not learned" : ""),
            used < count ? "\(used) of \(count) pictures are used; an epoch is as long as of all" : nil,
        ].compactMap { $0 } + part.damage.report
    }
}
