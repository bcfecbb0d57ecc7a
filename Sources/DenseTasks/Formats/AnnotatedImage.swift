package import SystemPackage

/// A picture and the objects in it, whatever format they were written in.
package struct AnnotatedImage: Sendable, Equatable {
    /// COCO's own; else its place in the list, from 1.
    package let id: Int
    /// Of the picture, below the folder of its set.
    package let name: FilePath
    /// Of the picture as it is shown, turned as EXIF says, in pixels: what the file has, whatever the annotations say.
    package let width: Int
    package let height: Int
    /// Sound ones, in the order of the annotations.
    package let objects: [AnnotatedObject]
}

/// An object in a picture.
package struct AnnotatedObject: Sendable, Equatable {
    /// Its place among the set's categories.
    package let category: Int
    /// The part inside the upright picture: at least a pixel wide and high.
    package let box: Box
    /// As it was annotated, which may reach outside: what scores compare with, as the standard tools do.
    package let whole: Box
    /// In pixels; less than the box's where there was a mask.
    package let area: Double
    /// Whether the box holds many objects: COCO's `iscrowd`. Not to be learned, and no error to find.
    package let isCrowd: Bool
    /// VOC's `difficult`, or COCO's `ignore`.
    package let isDifficult: Bool
}

/// What objects can be.
package struct AnnotatedCategory: Sendable, Equatable {
    /// In files of results. COCO's numbers have gaps; of VOC and YOLO it is the place in the list.
    package let id: Int
    package let name: String

    package init(id: Int, name: String) { (self.id, self.name) = (id, name) }
}

/// Annotations that cannot be used at all.
package struct AnnotationError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
