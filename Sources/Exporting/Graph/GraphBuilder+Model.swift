import Files

extension GraphBuilder {
    /// Which operators there are, and the fields of a model: what ONNX 1.8 and later read.
    private static let (operatorSet, representation) = (13, 7)

    /// The whole as ONNX's file has it. Throws where it would be larger than a message may be.
    ///
    /// ModelProto: 1 representation, 2 producer, 7 graph, 8 operator sets, 14 metadata.
    func model(name: String, metadata: [String: String]) throws -> ProtocolBuffer {
        let bytes = initializers.reduce(0) { $0 + $1.bytes.count }
        guard bytes < 2_000_000_000 else {
            throw ExportError("its \(bytes / 1_000_000) MB do not fit a file of ONNX's (2 GB): take another format")
        }
        var model = ProtocolBuffer()
        model.integer(1, Self.representation)
        model.text(2, "pixpro")
        model.message(7, graph(name))
        model.message(8) { set in
            set.text(1, "")
            set.integer(2, Self.operatorSet)
        }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            model.message(14) { entry in
                entry.text(1, key)
                entry.text(2, value)
            }
        }
        return model
    }

    /// GraphProto: 1 node*, 2 name, 5 initializer*, 11 input*, 12 output*.
    private func graph(_ name: String) -> ProtocolBuffer {
        var graph = ProtocolBuffer()
        for node in nodes { graph.message(1, node) }
        graph.text(2, name)
        for initializer in initializers { graph.message(5, initializer) }
        for input in inputs { graph.message(11, input) }
        for output in outputs { graph.message(12, output) }
        return graph
    }
}
