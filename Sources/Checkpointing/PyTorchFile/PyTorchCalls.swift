/// The functions that pickles of weights call, and what becomes of it here.
enum PyTorchCalls {
    static let elementTypes: [String: StoredElementType] = [
        "torch FloatStorage": .float32, "torch DoubleStorage": .float64, "torch HalfStorage": .float16,
        "torch BFloat16Storage": .bfloat16, "torch LongStorage": .int64, "torch IntStorage": .int32,
        "torch ShortStorage": .int16, "torch CharStorage": .int8, "torch ByteStorage": .uint8,
        "torch BoolStorage": .bool,
    ]

    /// The class that a file names for the storages of a type.
    static func storageName(of type: StoredElementType) -> String {
        guard let name = elementTypes.first(where: { $0.value == type })?.key else {
            preconditionFailure("PyTorch has no storages of \(type.rawValue)")
        }
        return String(name.dropFirst("torch ".count))
    }

    /// Functions that make something of no use here, and harm nobody where they are called.
    private static let skipped: Set<String> = [
        "torch device", "torch._utils _rebuild_tensor_v3", "torch._utils _rebuild_sparse_tensor",
        "torch._utils _rebuild_qtensor", "torch._utils _rebuild_meta_tensor_no_storage",
        "torch.serialization _get_layout", "torch.storage _load_from_bytes", "numpy.core.multiarray scalar",
        "numpy._core.multiarray scalar", "numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct",
        "numpy dtype", "_codecs encode", "copyreg _reconstructor", "copy_reg _reconstructor", "pathlib PosixPath",
        "pathlib PurePosixPath", "pathlib WindowsPath", "datetime datetime", "datetime date", "datetime timedelta",
        "uuid UUID", "argparse Namespace", "builtins set", "__builtin__ set", "builtins frozenset",
        "__builtin__ frozenset", "builtins bytearray", "__builtin__ bytearray", "builtins complex", "builtins slice",
        "collections Counter", "collections deque",
    ]

    /// A tensor, or an object of which nothing is made; nil for other functions.
    static func value(of name: String, _ arguments: [PickleValue], _ machine: PickleMachine) throws -> PickleObject? {
        switch name {
        case "torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2":
            return try tensor(arguments, machine)
        case _ where skipped.contains(name): return .opaque(name)
        default: return nil
        }
    }

    /// What a function hands on as it is; nil for other functions.
    static func passed(by name: String, _ arguments: [PickleValue]) -> PickleValue? {
        switch name {
        case "torch._utils _rebuild_parameter", "torch._utils _rebuild_parameter_with_state", "torch Size",
            "builtins list", "__builtin__ list", "builtins tuple", "__builtin__ tuple":
            arguments.first
        default: nil
        }
    }

    /// (storage, first place, sizes, strides, …)
    private static func tensor(_ arguments: [PickleValue], _ machine: PickleMachine) throws -> PickleObject {
        guard arguments.count >= 4, case .object(let place) = arguments[0], let offset = arguments[1].integer,
            let sizes = machine.items(arguments[2]), let steps = machine.items(arguments[3])
        else { throw PyTorchFailure("has a tensor without storage, sizes or strides") }
        guard case .storage(let storage) = machine.objects[place] else { return .opaque("a tensor without storage") }
        let shape = sizes.compactMap(\.integer), strides = steps.compactMap(\.integer)
        guard shape.count == sizes.count, strides.count == steps.count else {
            throw PyTorchFailure("has a tensor whose sizes are no whole numbers")
        }
        guard let elementType = storage.elementType else { return .opaque("a tensor of an unknown type") }
        guard
            let view = PyTorchView(storage, elementType, offset: offset, shape: shape, strides: strides)
        else {
            throw PyTorchFailure(
                "has a tensor \(shape.prefix(8)) with strides \(strides.prefix(8)) from place \(offset) that does not fit "
                    + "its storage of \(storage.count) numbers")
        }
        return .tensor(view)
    }
}
