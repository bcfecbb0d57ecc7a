import Files
import ImagePipeline

/// What a look at a picture's file says.
enum PictureLook: Sendable {
    case missing
    case unreadable(String)
    /// The upright size, and how the stored pixels are turned.
    case sound(width: Int, height: Int, orientation: Orientation)

    var isMissing: Bool { if case .missing = self { true } else { false } }

    func pack(_ writer: inout PackedWriter) {
        switch self {
        case .missing: writer.add(0)
        case .unreadable(let reason):
            writer.add(-1)
            writer.add(reason)
        case .sound(let width, let height, let orientation):
            for number in [orientation.value, width, height] { writer.add(number) }
        }
    }

    init(_ reader: inout PackedReader) throws {
        let kind = try reader.number()
        switch kind {
        case 0: self = .missing
        case -1: self = .unreadable(try reader.string())
        default:
            self = .sound(
                width: try reader.number(), height: try reader.number(), orientation: Orientation(value: kind))
        }
    }
}

extension WrittenAnnotations {
    /// Looks at the headers of a part of the pictures.
    func looks(at part: Range<Int>, advance: () throws -> Void = {}) rethrows -> [PictureLook] {
        let index = ImageIndex(folder: folder, names: images.map(\.name))
        return try part.map { picture in
            try advance()
            guard index.exists(picture) else { return .missing }
            do {
                return try ImageDecoder.open(try index.bytes(of: picture)) { picture in
                    .sound(width: picture.width, height: picture.height, orientation: picture.orientation)
                }
            } catch { return .unreadable("\(error)") }
        }
    }
}
