/// What a pickle holds. Containers lie in the machine's table, since pickles refer to them again and may change them.
enum PickleValue {
    case none
    case flag(Bool)
    case integer(Int)
    /// Two's complement, little-endian, of more than 64 bits.
    case longInteger([UInt8])
    case real(Double)
    case text(String)
    case bytes([UInt8])
    /// A class or function, as "module name".
    case global(String)
    /// A place in the table.
    case object(Int)

    var integer: Int? { if case .integer(let value) = self { value } else { nil } }
    var text: String? { if case .text(let value) = self { value } else { nil } }

    /// As part of a name: `state.0`.
    var nameComponent: String? { text ?? integer.map(String.init) }
}

enum PickleObject {
    case tuple([PickleValue])
    case list([PickleValue])
    case dictionary([(key: PickleValue, value: PickleValue)])
    case storage(PyTorchStorage)
    case tensor(PyTorchView)
    /// Of a class of which nothing is made.
    case opaque(String)
}

/// A row of numbers in a file, to which tensors refer.
struct PyTorchStorage: Sendable, Equatable {
    let key: String
    /// Nil for types that are not read.
    let elementType: StoredElementType?
    let count: Int
}

/// A tensor: the part of a storage that sizes, strides and the first place pick out.
struct PyTorchView: Sendable, Equatable {
    let storage: PyTorchStorage
    let elementType: StoredElementType
    let offset: Int
    let shape: [Int]
    let strides: [Int]

    private static let mostDimensions = 64

    /// Nil where it does not lie within its storage, or has more numbers than that.
    init?(_ storage: PyTorchStorage, _ elementType: StoredElementType, offset: Int, shape: [Int], strides: [Int]) {
        guard shape.count == strides.count, shape.count <= Self.mostDimensions, offset >= 0,
            shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 })
        else { return nil }
        var count = 1, last = offset
        for (size, stride) in zip(shape, strides) where !shape.contains(0) {
            let (product, tooMany) = count.multipliedReportingOverflow(by: size)
            let (reach, tooFar) = (size - 1).multipliedReportingOverflow(by: stride)
            let (sum, beyond) = last.addingReportingOverflow(reach)
            guard !tooMany, !tooFar, !beyond else { return nil }
            (count, last) = (product, sum)
        }
        guard shape.contains(0) || count <= storage.count && last < storage.count else { return nil }
        (self.storage, self.elementType, self.offset) = (storage, elementType, offset)
        (self.shape, self.strides) = (shape, strides)
    }

    var count: Int { shape.reduce(1, *) }

    /// Whether the numbers lie one after another.
    var isContiguous: Bool {
        var expected = 1
        for (size, stride) in zip(shape, strides).reversed() where size != 1 {
            guard stride == expected else { return false }
            expected *= size
        }
        return true
    }

    /// The places in the storage from the first that is used to the last.
    var extent: Range<Int> {
        guard count > 0 else { return offset..<offset }
        return offset..<zip(shape, strides).reduce(offset + 1) { $0 + ($1.0 - 1) * $1.1 }
    }
}
