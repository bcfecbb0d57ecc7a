/// The boxes of drawn pictures as COCO writes them.
struct SyntheticAnnotations {
    private let size: Int
    private let classNames: [String]
    private var images: [String] = []
    private var annotations: [String] = []

    init(size: Int, classNames: [String]) { (self.size, self.classNames) = (size, classNames) }

    mutating func add(_ name: String, _ objects: [(label: UInt8, region: PixelRegion, pixels: Int)]) {
        let image = images.count + 1
        images.append(#"{"id":\#(image),"file_name":"\#(name)","width":\#(size),"height":\#(size)}"#)
        for object in objects {
            let box = object.region
            annotations.append(
                #"{"id":\#(annotations.count + 1),"image_id":\#(image),"category_id":\#(object.label),"#
                    + #""bbox":[\#(box.x),\#(box.y),\#(box.width),\#(box.height)],"area":\#(object.pixels),"iscrowd":0}"#
            )
        }
    }

    /// With the classes in their order as categories from 1.
    var json: String {
        let categories = classNames.enumerated().map { #"{"id":\#($0 + 1),"name":"\#($1)"}"# }
        func list(_ name: String, _ items: [String]) -> String {
            "\"\(name)\": [\n" + items.joined(separator: ",\n") + "\n]"
        }
        return "{"
            + [list("images", images), list("annotations", annotations), list("categories", categories)]
            .joined(separator: ", ") + "}\n"
    }
}
