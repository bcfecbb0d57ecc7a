/// The pictures of a run: where each lies, in an order that is the same on every host.
///
/// Built once (by rank zero) and sent to all others as bytes. A million entries take about 100 MB.
public struct ImageIndex: Sendable {
    /// One picture: a file below a root, or a member of a tar shard.
    struct Entry: Sendable {
        /// Index into `containers`: a root folder or a tar file.
        var container: Int32
        var label: Int32
        /// Where the member's bytes lie in its tar; -1 for a file of its own.
        var offset: Int64
        var size: Int64
        /// Path below the root, or the member's name.
        var name: String
    }

    let containers: [String]
    let entries: [Entry]
    public let classNames: [String]
    /// Files below the roots that are no pictures by their names.
    public let ignored: Int

    public var count: Int { entries.count }

    /// Lists folder trees of JPEGs and PNGs, folders of tar shards, and single tar files.
    ///
    /// The first folder below a root is the class of what it holds. Throws `IndexError` where a root cannot be read or
    /// holds no picture.
    public init(roots: [String]) throws {
        var listing = IndexListing()
        for root in roots { try listing.add(root: root) }
        (containers, entries, classNames, ignored) = listing.sorted
        guard !entries.isEmpty else {
            throw IndexError(
                "no images in \(roots.joined(separator: ", ")): looked for "
                    + "\(IndexListing.extensions.joined(separator: ", ")) files and .tar shards, found \(ignored) others"
            )
        }
    }

    init(containers: [String], entries: [Entry], classNames: [String], ignored: Int) {
        (self.containers, self.entries) = (containers, entries)
        (self.classNames, self.ignored) = (classNames, ignored)
    }

    /// What people call a picture: its path.
    public func description(of index: Int) -> String {
        containers[Int(entries[index].container)] + "/" + entries[index].name
    }

    /// The picture's class; nil where it lies in no class folder.
    public func label(of index: Int) -> Int? { entries[index].label < 0 ? nil : Int(entries[index].label) }

    /// The picture's file or tar member. Safe to call from several threads.
    public func bytes(of index: Int) throws -> [UInt8] {
        let entry = entries[index]
        let container = containers[Int(entry.container)]
        return entry.offset < 0
            ? try FileReading.bytes(of: container + "/" + entry.name)
            : try FileReading.bytes(of: container, offset: Int(entry.offset), count: Int(entry.size))
    }

    /// Checks that this host can open every root and one picture of each; throws what it cannot.
    public func verifyReadable() throws {
        var seen: Set<Int32> = []
        for index in entries.indices where seen.insert(entries[index].container).inserted {
            do {
                _ = try bytes(of: index)
            } catch let error as ImageError {
                throw IndexError(
                    "\(description(of: index)) \(error.reason) here, though rank zero listed it: is the folder mounted on "
                        + "every host under the same path, and readable?")
            }
        }
    }
}

/// The images cannot be listed as asked.
public struct IndexError: Error, Sendable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}

extension ImageIndex {
    /// The index as bytes that `init(serialized:)` reads back.
    public var serialized: [UInt8] {
        var bytes: [UInt8] = []
        func add(_ number: Int) { withUnsafeBytes(of: Int64(number).littleEndian) { bytes += $0 } }
        func add(_ text: String) {
            add(text.utf8.count)
            bytes += Array(text.utf8)
        }
        for list in [containers, classNames] {
            add(list.count)
            for text in list { add(text) }
        }
        add(ignored)
        add(entries.count)
        for entry in entries {
            for number in [Int(entry.container), Int(entry.label), Int(entry.offset), Int(entry.size)] { add(number) }
            add(entry.name)
        }
        return bytes
    }

    public init(serialized bytes: [UInt8]) throws {
        var at = 0
        func number() throws -> Int {
            guard at + 8 <= bytes.count else { throw IndexError("the list of images arrived cut short") }
            defer { at += 8 }
            return bytes.withUnsafeBytes {
                Int(Int64(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: Int64.self)))
            }
        }
        func text() throws -> String {
            let count = try number()
            guard count >= 0, at + count <= bytes.count else { throw IndexError("the list of images arrived damaged") }
            defer { at += count }
            return String(decoding: bytes[at..<at + count], as: UTF8.self)
        }
        let containers = try (0..<(try number())).map { _ in try text() }
        let classNames = try (0..<(try number())).map { _ in try text() }
        let ignored = try number()
        let entries = try (0..<(try number())).map { _ in
            Entry(
                container: Int32(try number()), label: Int32(try number()), offset: Int64(try number()),
                size: Int64(try number()), name: try text())
        }
        self.init(containers: containers, entries: entries, classNames: classNames, ignored: ignored)
    }
}

extension ImageIndex {
    /// At most `limit` pictures, evenly spread, ascending.
    public func spread(limit: Int) -> [Int] {
        guard count > limit else { return Array(0..<count) }
        return (0..<limit).map { $0 * count / limit }
    }

    /// Bytes of the file that holds a picture: its own, or its tar shard.
    public func fileSize(of index: Int) throws -> Int {
        let entry = entries[index], container = containers[Int(entry.container)]
        let path = entry.offset < 0 ? container + "/" + entry.name : container
        return try FileReading.size(of: path)
    }
}
