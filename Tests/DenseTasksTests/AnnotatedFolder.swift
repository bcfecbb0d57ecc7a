import DenseTasks
import Foundation
import ImagePipeline
import SystemPackage
import TestSupport

/// A folder of drawn pictures and annotations that a test writes.
struct AnnotatedFolder {
    let path: String

    func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

    func write(_ bytes: [UInt8], to name: String) throws {
        let url = URL(filePath: path + "/" + name)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    /// A JPEG of stored pixels of this size, which EXIF says to turn.
    func picture(_ name: String, _ width: Int, _ height: Int, orientation: UInt8 = 1) throws {
        let pixels = (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var jpeg = try encodeJPEG(rgb: pixels, width: width, height: height)
        let exif: [UInt8] =
            [0xFF, 0xE1, 0, 34] + Array("Exif".utf8) + [0, 0] + Array("II".utf8) + [42, 0, 8, 0, 0, 0, 1, 0]
            + [0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0] + [0, 0, 0, 0]
        if orientation > 1 { jpeg.insert(contentsOf: exif, at: 2) }
        try write(jpeg, to: name)
    }

    func file(_ name: String) -> FilePath { FilePath(path + "/" + name) }

    /// COCO's file with these images, annotations and the categories 3 "cat" and 9 "dog".
    func coco(
        images: [String], annotations: [String], categories: String = #"{"id":9,"name":"dog"},{"id":3,"name":"cat"}"#
    ) throws -> AnnotationSource {
        try write(
            """
            {"info":{"year":2017},"annotations":[\(annotations.joined(separator: ","))],
            "images":[\(images.joined(separator: ","))],"categories":[\(categories)],"licenses":null}
            """, to: "instances.json")
        return .coco(file: file("instances.json"), pictures: file("images"))
    }

    static func image(_ id: Int, _ name: String, _ width: Int = 40, _ height: Int = 30) -> String {
        #"{"id":\#(id),"file_name":"\#(name)","width":\#(width),"height":\#(height)}"#
    }

    static func annotation(_ id: Int, image: Int, category: Int = 3, _ box: String, more: String = "") -> String {
        #"{"id":\#(id),"image_id":\#(image),"category_id":\#(category),"bbox":[\#(box)]\#(more)}"#
    }
}

func withAnnotatedFolder(_ body: (AnnotatedFolder) throws -> Void) throws {
    try withTemporaryDirectory { try body(AnnotatedFolder(path: $0)) }
}
