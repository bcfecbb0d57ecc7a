import Files

/// What a file of PyTorch's holds: a value, and where the numbers of its storages lie.
struct PyTorchLayout {
    let root: PickleValue
    let objects: [PickleObject]
    /// In the file, by key.
    let storages: [String: Range<Int>]

    static func isZip(_ file: any ReadableFile) throws -> Bool {
        try file.size >= 4 && file.bytes(0..<4) == [0x50, 0x4B, 3, 4]
    }

    // MARK: A zip, since PyTorch 1.6

    /// `NAME/data.pkl`, the numbers of each storage in `NAME/data/KEY`, and `NAME/byteorder`.
    static func zip(_ file: any ReadableFile) throws -> PyTorchLayout {
        let records = try ZipArchive(file).records
        let suffix = "/data.pkl", names = records.keys.filter { $0.hasSuffix(suffix) }
        guard names.count == 1, let pickle = records[names[0]] else {
            throw PyTorchFailure("is a zip file without a data.pkl: torch.save did not write it")
        }
        let folder = names[0].dropLast(suffix.count)
        guard records["\(folder)/constants.pkl"] == nil else {
            throw PyTorchFailure("is a program (TorchScript); it was not run: save the state_dict of its model")
        }
        if let order = records["\(folder)/byteorder"], try file.bytes(order.prefix(16)) != Array("little".utf8) {
            throw PyTorchFailure("was written on a machine of another byte order")
        }
        var machine = PickleMachine(PickleInput(file, pickle))
        let root = try machine.run(), data = "\(folder)/data/"
        let storages = records.filter { $0.key.hasPrefix(data) }.map {
            (String($0.key.dropFirst(data.count)), $0.value)
        }
        return PyTorchLayout(
            root: root, objects: machine.objects, storages: Dictionary(uniqueKeysWithValues: storages))
    }

    // MARK: A sequence of pickles, before

    /// Three pickles of a mark, a version and a machine, one of the value, one of the storages' keys, and then of each
    /// storage the count in 64 bits and the numbers.
    static func sequence(_ file: any ReadableFile) throws -> PyTorchLayout {
        var machine = PickleMachine(PickleInput(file, 0..<file.size))
        guard file.size > 0, case .longInteger(mark) = try machine.run(), try machine.run().integer == 1001 else {
            throw PyTorchFailure("is no file that torch.save wrote")
        }
        try checkMachine(try machine.run(), machine.objects)
        let root = try machine.run(), keyList = try machine.run()
        guard let keys = machine.items(keyList)?.map(\.nameComponent) else {
            throw PyTorchFailure("lacks the list of its storages")
        }
        let described = Dictionary(
            machine.objects.compactMap { object -> (String, PyTorchStorage)? in
                if case .storage(let storage) = object { (storage.key, storage) } else { nil }
            }
        ) { first, _ in first }
        var storages: [String: Range<Int>] = [:]
        for key in keys {
            guard let key, let storage = described[key] else {
                throw PyTorchFailure("has a storage that no tensor names")
            }
            let count = try machine.input.number(bytes: 8), start = machine.input.position
            guard let size = storage.elementType?.byteCount else {
                throw PyTorchFailure("has the storage '\(shownText(key))' of an unknown type")
            }
            guard count == storage.count, count <= (file.size - start) / size else {
                throw PyTorchFailure(
                    "claims \(count) numbers for storage '\(shownText(key))', of which \(storage.count) are spoken of and "
                        + "\((file.size - start) / size) are there")
            }
            guard storages.updateValue(start..<start + count * size, forKey: key) == nil else {
                throw PyTorchFailure("has the storage '\(shownText(key))' twice")
            }
            machine.input.skip(count * size)
        }
        return PyTorchLayout(root: root, objects: machine.objects, storages: storages)
    }

    /// 0x1950a86a20f9469cfc6c, by which such files are known.
    private static let mark: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]

    private static func checkMachine(_ value: PickleValue, _ objects: [PickleObject]) throws {
        guard case .object(let place) = value, case .dictionary(let facts) = objects[place] else {
            throw PyTorchFailure("lacks what kind of machine wrote it")
        }
        if case .flag(false)? = facts.first(where: { $0.key.text == "little_endian" })?.value {
            throw PyTorchFailure("was written on a machine of another byte order")
        }
    }
}
