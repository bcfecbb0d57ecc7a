import Checkpointing
import DenseTasks
import Foundation
import ImagePipeline
import SystemPackage

/// Parsers of annotations and of PyTorch's files.
enum DenseParsers {
    static func all(_ scratch: String) throws -> [Parser] {
        let folder = scratch + "/dense"
        for name in ["images", "labels", "voc/JPEGImages", "voc/Annotations"] {
            try FileManager.default.createDirectory(atPath: folder + "/" + name, withIntermediateDirectories: true)
        }
        let picture = try encodeJPEG(rgb: [UInt8](repeating: 9, count: 32 * 24 * 3), width: 32, height: 24)
        for name in ["images/a.jpg", "voc/JPEGImages/a.jpg"] { try write(picture, folder + "/" + name) }
        try write(Array("cat\ndog\n".utf8), folder + "/labels/classes.txt")
        return try [coco(folder), voc(folder), yolo(folder)]
            + ["views.pth", "views-before.pth"].map { try torch($0, folder) }
    }

    private static func write(_ bytes: [UInt8], _ path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    private static func coco(_ folder: String) -> Parser {
        let annotations = [
            #"{"id":1,"image_id":1,"category_id":2,"bbox":[1,2.5,3e0,-4],"area":12.5,"iscrowd":0,"segmentation":[[1,2,3]]}"#,
            #"{"id":2,"image_id":1,"category_id":7,"bbox":[NaN,null,30,40],"iscrowd":true,"ignore":1}"#,
        ]
        let sample =
            #"{"info":{"x":[{}]},"images":[{"id":1,"file_name":"a.jpg","width":32,"height":24}],"annotations":["#
            + annotations.joined(separator: ",")
            + #"],"categories":[{"id":2,"name":"c\u00e4t"},{"id":7,"name":"dog"}]}"#
        let file = folder + "/instances.json"
        return Parser(name: "COCO", samples: [Array(sample.utf8)]) { bytes in
            try write(bytes, file)
            try score(.coco(file: FilePath(file), pictures: FilePath(folder + "/images")))
        }
    }

    private static func voc(_ folder: String) -> Parser {
        let sample = """
            <?xml version="1.0"?><!-- c --><annotation verified='yes'><filename>a.jpg</filename>
            <size><width>32</width><height>24</height></size>
            <object><name>c&amp;t</name><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>2.5</ymin><xmax> 9 </xmax>
            <ymax>20</ymax></bndbox></object><object><name><![CDATA[dog]]></name><bndbox/></object></annotation>
            """
        return Parser(name: "VOC", samples: [Array(sample.utf8)]) { bytes in
            try write(bytes, folder + "/voc/Annotations/a.xml")
            try score(.voc(root: FilePath(folder + "/voc"), list: nil))
        }
    }

    private static func yolo(_ folder: String) -> Parser {
        let sample = "0 0.5 0.5 0.25 0.125\n\n1 0 0 0.5 0 0.5 1\r\n1 1e-3 .5 nan 2\n"
        return Parser(name: "YOLO", samples: [Array(sample.utf8)]) { bytes in
            try write(bytes, folder + "/labels/a.txt")
            try score(
                .yolo(pictures: FilePath(folder + "/images"), labels: FilePath(folder + "/labels"), names: nil))
        }
    }

    /// What is read reaches the other ranks as it is, and can be scored.
    private static func score(_ source: AnnotationSource) throws {
        let written = try source.read(categories: nil)
        let packed = written.packed
        let arrived = try WrittenAnnotations(packed: packed).packed
        precondition(arrived == packed, "annotations that arrive otherwise")
        let set = try AnnotatedImages(source)
        _ = set.damage.report
        let truths = try set.truths(of: Array(set.images.indices)), image = set.images[0]
        let found = image.objects.map {
            Detection(image: image.id, category: set.categories[$0.category].id, box: $0.box, score: 0.5)
        }
        _ = (try truths.coco(found), try truths.voc(found))
    }

    /// Small files that PyTorch wrote; see `Tests/References/make_weights.py`.
    private static func torch(_ name: String, _ folder: String) throws -> Parser {
        let weights = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "References/Weights")
        let samples = try [name, name.replacing("views", with: "program")].map {
            Array(try Data(contentsOf: weights.appending(path: $0)))
        }
        let file = folder + "/input.pth"
        return Parser(name: "PyTorch, \(name)", samples: samples) { bytes in
            try write(bytes, file)
            let weights = try PyTorchFile(path: FilePath(file))
            for tensor in weights.tensors { _ = try weights.read(tensor.name) }
        }
    }
}
