import Files

/// What was wrong with annotations and what became of it: the same on every rank.
package struct AnnotationDamage: Sendable, Equatable {
    package enum Kind: Int, Sendable, CaseIterable {
        case missingPicture, unreadablePicture, malformed, notANumber, unknownClass, empty, outside
        case clipped, duplicateID, orphan, otherSize, turned

        /// What happened, after a number: "3 boxes …".
        var words: (one: String, many: String) {
            switch self {
            case .missingPicture: ("picture is missing and left out", "pictures are missing and left out")
            case .unreadablePicture:
                ("picture cannot be read and is left out", "pictures cannot be read and are left out")
            case .malformed: ("annotation has no box and is dropped", "annotations have no box and are dropped")
            case .notANumber:
                (
                    "box has a coordinate that is no number and is dropped",
                    "boxes have a coordinate that is no number and are dropped"
                )
            case .unknownClass:
                ("object is of an unknown class and dropped", "objects are of an unknown class and dropped")
            case .empty: ("box is smaller than a pixel and dropped", "boxes are smaller than a pixel and dropped")
            case .outside:
                ("box lies outside its picture and is dropped", "boxes lie outside their pictures and are dropped")
            case .clipped:
                ("box reaches outside its picture and is clipped", "boxes reach outside their pictures and are clipped")
            case .duplicateID:
                ("annotation has the id of another; both are kept", "annotations have the id of another; all are kept")
            case .orphan:
                ("annotation is of no listed picture and dropped", "annotations are of no listed picture and dropped")
            case .otherSize:
                (
                    "picture has another size than its annotation says; the picture's counts",
                    "pictures have another size than their annotations say; the pictures' count"
                )
            case .turned:
                (
                    "picture is turned by EXIF, and its boxes with it",
                    "pictures are turned by EXIF, and their boxes with them"
                )
            }
        }

        /// Whether something that was annotated is not used.
        var loses: Bool { rawValue <= Kind.outside.rawValue || self == .orphan }
    }

    /// One of them.
    package struct Item: Sendable, Equatable {
        /// The file of the annotation or picture, on one line.
        package let file: String
        /// What in it: "annotation 17", "line 3"; empty for the file itself.
        package let item: String
        package let reason: String
    }

    /// So many of each kind are named.
    package static let namedItems = 10
    private var counts = [Int](repeating: 0, count: Kind.allCases.count)
    private var items = [[Item]](repeating: [], count: Kind.allCases.count)

    package init() {}

    package func count(_ kind: Kind) -> Int { counts[kind.rawValue] }
    /// The first ten.
    package func first(_ kind: Kind) -> [Item] { items[kind.rawValue] }
    package var isEmpty: Bool { counts.allSatisfy { $0 == 0 } }

    mutating func add(_ kind: Kind, file: String, item: String = "", _ reason: @autoclosure () -> String) {
        counts[kind.rawValue] += 1
        guard items[kind.rawValue].count < Self.namedItems else { return }
        items[kind.rawValue].append(Item(file: file, item: item, reason: reason()))
    }

    /// A line for each kind, with the first ten by file and item.
    package var report: [String] {
        Kind.allCases.filter { count($0) > 0 }.map { kind in
            let count = count(kind), words = kind.words
            let named = first(kind).map { item in
                let place = item.item.isEmpty ? item.file : "\(item.file), \(item.item)"
                return item.reason.isEmpty ? place : "\(place) (\(item.reason))"
            }
            let more = count > named.count ? "; and \(count - named.count) more" : ""
            return "\(count) \(count == 1 ? words.one : words.many): " + named.joined(separator: "; ") + more
        }
    }

    /// Throws where anything that was annotated would not be used.
    package func checkNothingIsLost() throws {
        guard Kind.allCases.contains(where: { $0.loses && count($0) > 0 }) else { return }
        throw AnnotationError("annotations are damaged: " + report.joined(separator: ". ") + ". Correct them")
    }

    // MARK: Between ranks

    func pack(_ writer: inout PackedWriter) {
        writer.add(counts) { $0.add($1) }
        writer.add(items) { writer, items in
            writer.add(items) { writer, item in
                for text in [item.file, item.item, item.reason] { writer.add(text) }
            }
        }
    }

    init(_ reader: inout PackedReader) throws {
        counts = try reader.list { try $0.number() }
        items = try reader.list { reader in
            try reader.list { Item(file: try $0.string(), item: try $0.string(), reason: try $0.string()) }
        }
        guard counts.count == Kind.allCases.count, items.count == counts.count else { throw PackedReader.Damaged() }
    }
}
