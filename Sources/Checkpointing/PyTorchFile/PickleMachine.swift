import Files

/// Reads a pickle (protocols 0 to 5) and executes nothing: containers, numbers and texts become values, the few functions
/// that make tensors and plain containers are followed, objects of other classes become a name. A call of anything else
/// is what a program would do, and refused.
struct PickleMachine {
    var input: PickleInput
    private(set) var objects: [PickleObject] = []
    private var stack: [PickleValue] = []
    private var marks: [Int] = []
    private var memo: [Int: PickleValue] = [:]

    /// A hundred times what the largest models have.
    private static let most = 1 << 22

    init(_ input: PickleInput) { self.input = input }

    /// The value of the next pickle.
    mutating func run() throws -> PickleValue {
        (stack, marks, memo) = ([], [], [:])
        while true {
            guard objects.count + stack.count + memo.count < Self.most else {
                throw PyTorchFailure("holds more than \(Self.most) objects, which no file of weights does")
            }
            let code = try input.byte()
            if code == UInt8(ascii: ".") { return try pop() }
            guard try constant(code) || container(code) || memory(code) || object(code) else {
                throw PyTorchFailure("has the unknown pickle code \(code) at byte \(input.position - 1)")
            }
        }
    }

    // MARK: The stack

    private mutating func push(_ value: PickleValue) { stack.append(value) }

    private mutating func push(_ object: PickleObject) {
        objects.append(object)
        stack.append(.object(objects.count - 1))
    }

    private mutating func pop() throws -> PickleValue {
        guard stack.count > marks.last ?? 0, let value = stack.popLast() else { throw Self.unbalanced }
        return value
    }

    private mutating func popToMark() throws -> [PickleValue] {
        guard let mark = marks.popLast() else { throw Self.unbalanced }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    private static let unbalanced = PyTorchFailure("is no sound pickle: it takes more from its stack than lies there")

    /// The items of a tuple or list; nil for anything else.
    func items(_ value: PickleValue) -> [PickleValue]? {
        guard case .object(let place) = value else { return nil }
        switch objects[place] {
        case .tuple(let items), .list(let items): return items
        default: return nil
        }
    }

    // MARK: Codes

    /// Numbers and texts.
    private mutating func constant(_ code: UInt8) throws -> Bool {
        switch code {
        case UInt8(ascii: "N"): push(.none)
        case 0x88, 0x89: push(.flag(code == 0x88))
        case UInt8(ascii: "J"): push(.integer(Int(Int32(truncatingIfNeeded: try input.number(bytes: 4)))))
        case UInt8(ascii: "K"): push(.integer(try input.number(bytes: 1)))
        case UInt8(ascii: "M"): push(.integer(try input.number(bytes: 2)))
        case UInt8(ascii: "I"), UInt8(ascii: "L"): push(try Self.integer(try input.line()))
        case 0x8A: push(Self.integer(try input.bytes(try input.number(bytes: 1))))
        case 0x8B: push(Self.integer(try input.bytes(try input.number(bytes: 4))))
        case UInt8(ascii: "G"):
            let bits = try input.bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            push(.real(Double(bitPattern: bits)))
        case UInt8(ascii: "F"):
            guard let value = Double(try input.line()) else { throw PyTorchFailure("has a number that is none") }
            push(.real(value))
        case UInt8(ascii: "S"), UInt8(ascii: "V"): push(.text(try input.line().trimmingQuotes))
        case UInt8(ascii: "U"), 0x8C: push(.text(try input.text(try input.number(bytes: 1))))
        case UInt8(ascii: "T"), UInt8(ascii: "X"): push(.text(try input.text(try input.number(bytes: 4))))
        case 0x8D: push(.text(try input.text(try input.number(bytes: 8))))
        case UInt8(ascii: "C"): push(.bytes(try input.bytes(try input.number(bytes: 1))))
        case UInt8(ascii: "B"): push(.bytes(try input.bytes(try input.number(bytes: 4))))
        case 0x8E, 0x96: push(.bytes(try input.bytes(try input.number(bytes: 8))))
        default: return false
        }
        return true
    }

    /// Of protocol 0: decimal digits, of a long one with an L behind; 00 and 01 stand for false and true.
    private static func integer(_ line: String) throws -> PickleValue {
        if line == "00" || line == "01" { return .flag(line == "01") }
        guard let value = Int(line.hasSuffix("L") ? String(line.dropLast()) : line) else {
            throw PyTorchFailure("has a number that is none")
        }
        return .integer(value)
    }

    private static func integer(_ bytes: [UInt8]) -> PickleValue {
        guard bytes.count <= 8 else { return .longInteger(bytes) }
        let isNegative = bytes.last.map { $0 & 0x80 != 0 } ?? false
        let value = bytes.reversed().reduce(isNegative ? Int(-1) : 0) { $0 << 8 | Int($1) }
        return .integer(value)
    }

    private mutating func container(_ code: UInt8) throws -> Bool {
        switch code {
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: ")"): push(PickleObject.tuple([]))
        case UInt8(ascii: "]"): push(PickleObject.list([]))
        case UInt8(ascii: "}"): push(PickleObject.dictionary([]))
        case UInt8(ascii: "t"): push(PickleObject.tuple(try popToMark()))
        case UInt8(ascii: "l"): push(PickleObject.list(try popToMark()))
        case UInt8(ascii: "d"): push(PickleObject.dictionary(Self.pairs(try popToMark())))
        case 0x85...0x87:
            let items = try (0x85...code).map { _ in try pop() }
            push(PickleObject.tuple(items.reversed()))
        case UInt8(ascii: "a"): try add([try pop()])
        case UInt8(ascii: "e"): try add(try popToMark())
        case UInt8(ascii: "s"):
            let value = try pop(), key = try pop()
            try set([key, value])
        case UInt8(ascii: "u"): try set(try popToMark())
        case 0x8F: push(PickleObject.opaque("set"))
        case 0x90: _ = try popToMark()
        case 0x91:
            _ = try popToMark()
            push(PickleObject.opaque("frozenset"))
        default: return false
        }
        return true
    }

    private static func pairs(_ items: [PickleValue]) -> [(key: PickleValue, value: PickleValue)] {
        stride(from: 0, to: items.count - 1, by: 2).map { (key: items[$0], value: items[$0 + 1]) }
    }

    /// The object on top of the stack; nil for a plain value.
    private var top: Int? { if case .object(let place)? = stack.last { place } else { nil } }

    private mutating func add(_ items: [PickleValue]) throws {
        guard let top else { throw Self.unbalanced }
        // Of an object of another class nothing is kept.
        if case .list(var list) = objects[top] {
            objects[top] = .list([])
            list += items
            objects[top] = .list(list)
        }
    }

    private mutating func set(_ items: [PickleValue]) throws {
        guard let top else { throw Self.unbalanced }
        if case .dictionary(var pairs) = objects[top] {
            objects[top] = .dictionary([])
            pairs += Self.pairs(items)
            objects[top] = .dictionary(pairs)
        }
    }

    /// What lies on the stack, and what is remembered.
    private mutating func memory(_ code: UInt8) throws -> Bool {
        switch code {
        case 0x80: _ = try input.byte()
        case 0x95: _ = try input.number(bytes: 8)
        case UInt8(ascii: "0"): if stack.count > marks.last ?? 0 { stack.removeLast() } else { _ = try popToMark() }
        case UInt8(ascii: "1"): _ = try popToMark()
        case UInt8(ascii: "2"):
            let value = try pop()
            stack += [value, value]
        case UInt8(ascii: "p"): try remember(Self.integer(try input.line()).integer ?? -1)
        case UInt8(ascii: "q"): try remember(try input.number(bytes: 1))
        case UInt8(ascii: "r"): try remember(try input.number(bytes: 4))
        case 0x94: try remember(memo.count)
        case UInt8(ascii: "g"): try recall(Self.integer(try input.line()).integer ?? -1)
        case UInt8(ascii: "h"): try recall(try input.number(bytes: 1))
        case UInt8(ascii: "j"): try recall(try input.number(bytes: 4))
        default: return false
        }
        return true
    }

    private mutating func remember(_ place: Int) throws {
        guard let value = stack.last else { throw Self.unbalanced }
        memo[place] = value
    }

    private mutating func recall(_ place: Int) throws {
        guard let value = memo[place] else { throw PyTorchFailure("is no sound pickle: it recalls what it never had") }
        push(value)
    }

    /// Classes, calls and what has an identity of its own.
    private mutating func object(_ code: UInt8) throws -> Bool {
        switch code {
        case UInt8(ascii: "c"): push(try global())
        case 0x93:
            let name = try pop(), module = try pop()
            guard let name = name.text, let module = module.text else { throw Self.unbalanced }
            push(.global("\(module) \(name)"))
        case UInt8(ascii: "R"):
            let arguments = try pop(), function = try pop()
            try call(function, items(arguments) ?? [])
        case UInt8(ascii: "i"): try call(try global(), try popToMark())
        case UInt8(ascii: "o"):
            let items = try popToMark()
            guard let function = items.first else { throw Self.unbalanced }
            try call(function, Array(items.dropFirst()))
        case 0x81, 0x92:
            for _ in 0..<(code == 0x92 ? 2 : 1) { _ = try pop() }
            guard case .global(let name) = try pop() else { throw Self.unbalanced }
            push(Self.isDictionary(name) ? .dictionary([]) : .opaque(name))
        // The state of an object: of dictionaries their attributes, of which none holds weights.
        case UInt8(ascii: "b"): _ = try pop()
        case UInt8(ascii: "Q"): push(try persistent(try pop()))
        default: return false
        }
        return true
    }

    /// The next two lines: a module, and what it is in it.
    private mutating func global() throws -> PickleValue {
        let module = try input.line(), name = try input.line()
        return .global("\(module) \(name)")
    }

    private mutating func call(_ function: PickleValue, _ arguments: [PickleValue]) throws {
        guard case .global(let name) = function else {
            throw PyTorchFailure("is a program: it calls what is no function by name; it was not run")
        }
        if Self.isDictionary(name) {
            push(PickleObject.dictionary(arguments.last.flatMap(items)?.compactMap(pair) ?? []))
        } else if let result = try PyTorchCalls.value(of: name, arguments, self) {
            push(result)
        } else if let result = PyTorchCalls.passed(by: name, arguments) {
            push(result)
        } else {
            throw PyTorchFailure(
                "is a program: it calls \(shownText(name.replacing(" ", with: "."))), which is none of what files of weights call; "
                    + "it was not run. Where it comes from somebody you trust, load it with PyTorch and save its state_dict "
                    + "alone")
        }
    }

    private func pair(_ value: PickleValue) -> (key: PickleValue, value: PickleValue)? {
        guard let items = items(value), items.count == 2 else { return nil }
        return (items[0], items[1])
    }

    private static func isDictionary(_ name: String) -> Bool {
        ["collections OrderedDict", "collections defaultdict", "builtins dict", "__builtin__ dict"].contains(name)
    }

    /// What lies outside the pickle: storages.
    private func persistent(_ identity: PickleValue) throws -> PickleObject {
        guard let items = items(identity), items.first?.text == "storage", items.count >= 5 else {
            return .opaque("an object outside the pickle")
        }
        guard case .global(let type) = items[1], let key = items[2].nameComponent, let count = items[4].integer,
            count >= 0
        else { throw PyTorchFailure("has a storage without type, key or count") }
        if items.count > 5 {
            guard case .none = items[5] else {
                throw PyTorchFailure("has a storage that is a view, of before PyTorch 0.4")
            }
        }
        return .storage(PyTorchStorage(key: key, elementType: PyTorchCalls.elementTypes[type], count: count))
    }
}

extension String {
    fileprivate var trimmingQuotes: String {
        guard count >= 2, let first, first == last, first == "'" || first == "\"" else { return self }
        return String(dropFirst().dropLast())
    }
}
