package import Checkpointing
import Files

/// What flows between the nodes of a graph.
package struct GraphValue: Sendable, Equatable {
    package let name: String
}

/// An attribute of a node.
package enum GraphAttribute: Sendable {
    case integer(Int)
    case integers([Int])
    case float(Float)
    case text(String)
}

/// A dimension of an input or an output: a number, or the name of what is known only when the graph is run.
package enum GraphDimension: Sendable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
    case size(Int)
    case named(String)

    package init(integerLiteral value: Int) { self = .size(value) }
    package init(stringLiteral value: String) { self = .named(value) }
}

/// What the numbers of a value are, by ONNX's codes.
package enum GraphElement: Int, Sendable {
    case float32 = 1
    case int64 = 7
}

/// A network as ONNX describes it: nodes in the order of computation, each an operator of opset 13 on values before it,
/// and the weights that they share by name.
///
/// Tasks describe their networks with it: the layers of `GraphBuilder+Layers.swift`, or operators of their own by `node`.
/// Maps are NCHW here, in float32.
package final class GraphBuilder {
    /// The weights under this program's names.
    private let weights: [String: NamedTensor]
    private(set) var nodes: [ProtocolBuffer] = []
    private(set) var initializers: [ProtocolBuffer] = []
    private(set) var inputs: [ProtocolBuffer] = []
    private(set) var outputs: [ProtocolBuffer] = []
    private var known: Set<String> = []
    /// Names given so far, by what they begin with.
    private var counts: [String: Int] = [:]

    package init(weights: [NamedTensor]) {
        self.weights = Dictionary(uniqueKeysWithValues: weights.map { ($0.name, $0) })
    }

    // MARK: Nodes

    /// A node with one output.
    package func node(
        _ type: String, _ inputs: [GraphValue?], _ attributes: [(name: String, value: GraphAttribute)] = []
    ) -> GraphValue {
        node(type, inputs, attributes, outputs: 1)[0]
    }

    /// A node of the operator `type`, named after it and a number; an input that is left out is nil.
    package func node(
        _ type: String, _ inputs: [GraphValue?], _ attributes: [(name: String, value: GraphAttribute)], outputs: Int
    ) -> [GraphValue] {
        let name = fresh(type), values = (0..<outputs).map { GraphValue(name: outputs == 1 ? name : "\(name).\($0)") }
        add(type, name, inputs.map { $0?.name ?? "" }, attributes, values.map(\.name))
        return values
    }

    /// NodeProto: 1 input*, 2 output*, 3 name, 4 operator, 5 attribute*.
    private func add(
        _ type: String, _ name: String, _ inputs: [String], _ attributes: [(name: String, value: GraphAttribute)],
        _ outputs: [String]
    ) {
        var message = ProtocolBuffer()
        for input in inputs { message.text(1, input) }
        for output in outputs { message.text(2, output) }
        message.text(3, name)
        message.text(4, type)
        for (name, value) in attributes { message.message(5) { $0.add(name, value) } }
        nodes.append(message)
    }

    private func fresh(_ stem: String) -> String {
        counts[stem, default: 0] += 1
        return "\(stem)_\(counts[stem]!)"
    }

    // MARK: Weights and numbers

    package func hasWeight(_ name: String) -> Bool { weights[name] != nil }

    /// A tensor of the network by its name; used twice, it is written once.
    package func weight(_ name: String) throws -> GraphValue {
        guard let tensor = weights[name] else { throw ExportError("the checkpoint has no tensor '\(name)'") }
        precondition(tensor.elementType == .float32, "'\(name)' is \(tensor.elementType.rawValue)")
        if known.insert(name).inserted {
            tensor.withBytes { initialize(name, .float32, tensor.shape, $0) }
        }
        return GraphValue(name: name)
    }

    /// Dimensions of a tensor of the network, OIHW for kernels.
    package func shape(ofWeight name: String) throws -> [Int] {
        guard let tensor = weights[name] else { throw ExportError("the checkpoint has no tensor '\(name)'") }
        return tensor.shape
    }

    /// Without a shape a vector.
    package func floats(_ values: [Float], shape: [Int]? = nil) -> GraphValue {
        let name = fresh("number")
        // Little-endian, as every machine is that this program is built for.
        values.withUnsafeBytes { initialize(name, .float32, shape ?? [values.count], $0) }
        return GraphValue(name: name)
    }

    /// Without a shape a vector.
    package func integers(_ values: [Int], shape: [Int]? = nil) -> GraphValue {
        let name = fresh("number")
        values.map { Int64($0) }.withUnsafeBytes { initialize(name, .int64, shape ?? [values.count], $0) }
        return GraphValue(name: name)
    }

    /// TensorProto: 1 dims*, 2 data type, 8 name, 9 raw data.
    private func initialize(_ name: String, _ element: GraphElement, _ shape: [Int], _ data: UnsafeRawBufferPointer) {
        var message = ProtocolBuffer()
        for size in shape { message.integer(1, size) }
        message.integer(2, element.rawValue)
        message.text(8, name)
        message.bytes(9, data)
        initializers.append(message)
    }

    // MARK: Inputs and outputs

    package func input(_ name: String, _ element: GraphElement, _ shape: [GraphDimension]) -> GraphValue {
        inputs.append(Self.valueInformation(name, element, shape))
        return GraphValue(name: name)
    }

    /// What the graph's user is given, under a name of its own.
    package func output(_ value: GraphValue, as name: String, _ element: GraphElement, _ shape: [GraphDimension]) {
        add("Identity", "output_\(name)", [value.name], [], [name])
        outputs.append(Self.valueInformation(name, element, shape))
    }

    /// ValueInfoProto: 1 name, 2 type {1 tensor type {1 element, 2 shape {1 dimension {1 size or 2 name}*}}}.
    private static func valueInformation(
        _ name: String, _ element: GraphElement, _ shape: [GraphDimension]
    ) -> ProtocolBuffer {
        var message = ProtocolBuffer()
        message.text(1, name)
        message.message(2) { type in
            type.message(1) { tensor in
                tensor.integer(1, element.rawValue)
                tensor.message(2) { dimensions in
                    for dimension in shape {
                        dimensions.message(1) {
                            switch dimension {
                            case .size(let size): $0.integer(1, size)
                            case .named(let name): $0.text(2, name)
                            }
                        }
                    }
                }
            }
        }
        return message
    }
}

extension ProtocolBuffer {
    /// AttributeProto: 1 name, 2 float, 3 integer, 4 text, 8 integers*, 20 type.
    fileprivate mutating func add(_ name: String, _ value: GraphAttribute) {
        text(1, name)
        switch value {
        case .float(let number):
            float(2, number)
            integer(20, 1)
        case .integer(let number):
            integer(3, number)
            integer(20, 2)
        case .text(let word):
            text(4, word)
            integer(20, 3)
        case .integers(let numbers):
            for number in numbers { integer(8, number) }
            integer(20, 7)
        }
    }
}
