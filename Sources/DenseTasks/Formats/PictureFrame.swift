import Files
import ImagePipeline

/// The pixels in which boxes of a picture were written, and the upright ones.
struct PictureFrame {
    private let width, height: Int
    private let orientation: Orientation
    /// Whether boxes are to be turned with the picture.
    private let turnsBoxes: Bool
    private let hasOtherSize: Bool

    /// The size that was written tells which pixels are meant, where the stored and the upright ones differ in it.
    init(width: Int, height: Int, orientation: Orientation, written: WrittenAnnotations.Image, isUpright: Bool) {
        (self.width, self.height, self.orientation) = (width, height, orientation)
        let upright = [width, height], stored = orientation.transposes ? [height, width] : upright
        let said = [written.width, written.height].compactMap { $0 }
        // 0 × 0 stands for a size that nobody knew.
        let isSaid = said.count == 2 && said != [0, 0]
        hasOtherSize = isSaid && said != upright && said != stored
        let isSaidUpright = isSaid && said == upright && upright != stored
        turnsBoxes =
            orientation.value > 1 && !isSaidUpright && (!isUpright || isSaid && said == stored && upright != stored)
    }

    /// The picture with its sound objects; what is wrong with others is noted.
    func settled(_ image: WrittenAnnotations.Image, _ damage: inout AnnotationDamage) -> AnnotatedImage {
        if hasOtherSize {
            damage.add(
                .otherSize, file: image.file, item: image.name.shown,
                "\(image.width!)×\(image.height!), the picture \(width)×\(height)")
        }
        if turnsBoxes { damage.add(.turned, file: image.file, item: image.name.shown, "") }
        return AnnotatedImage(
            id: image.id, name: image.name, width: width, height: height,
            objects: image.objects.compactMap { settled($0, of: image, &damage) })
    }

    private func settled(
        _ object: WrittenAnnotations.Object, of image: WrittenAnnotations.Image, _ damage: inout AnnotationDamage
    ) -> AnnotatedObject? {
        func drop(_ kind: AnnotationDamage.Kind, _ reason: String) -> AnnotatedObject? {
            damage.add(kind, file: image.file, item: object.item, reason)
            return nil
        }
        guard let category = object.category else { return drop(.unknownClass, shownText(object.className)) }
        guard object.box.isFinite, object.area?.isFinite ?? true else { return drop(.notANumber, object.box.shown) }
        guard object.area ?? 1 > 0 else { return drop(.empty, "\(object.box.shown) of the area \(object.area!)") }
        let whole = turned(pixels(object)), inside = whole.clipped(width: Double(width), height: Double(height))
        guard whole.width > 0, whole.height > 0 else { return drop(.empty, object.box.shown) }
        guard inside.width > 0, inside.height > 0 else {
            return drop(.outside, "\(object.box.shown) in \(width)×\(height)")
        }
        guard inside.width >= 1, inside.height >= 1 else { return drop(.empty, object.box.shown) }
        // Less is what rounding to a few digits makes.
        if whole.overhang(width: Double(width), height: Double(height)) > 0.05 {
            damage.add(.clipped, file: image.file, item: object.item, "\(object.box.shown) in \(width)×\(height)")
        }
        return AnnotatedObject(
            category: category, box: inside, whole: whole, area: object.area ?? whole.area, isCrowd: object.isCrowd,
            isDifficult: object.isDifficult)
    }

    /// In pixels of the frame that it was written in.
    private func pixels(_ object: WrittenAnnotations.Object) -> Box {
        guard object.isRelative else { return object.box }
        let swaps = turnsBoxes && orientation.transposes
        let columns = Double(swaps ? height : width), rows = Double(swaps ? width : height)
        return Box(
            x: object.box.x * columns, y: object.box.y * rows, width: object.box.width * columns,
            height: object.box.height * rows)
    }

    /// A box of stored pixels in the upright picture.
    private func turned(_ box: Box) -> Box {
        guard turnsBoxes else { return box }
        var box = box
        let columns = Double(orientation.transposes ? height : width)
        let rows = Double(orientation.transposes ? width : height)
        if orientation.mirrorsX { box.x = columns - box.right }
        if orientation.mirrorsY { box.y = rows - box.bottom }
        return orientation.transposes ? Box(x: box.y, y: box.x, width: box.height, height: box.width) : box
    }
}
