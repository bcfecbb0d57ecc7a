import NeuralNetwork

/// The layers of NeuralNetwork as operators of ONNX's opset 13, with weights by the names of the layers.
extension GraphBuilder {
    /// x [N, C, H, W] ∗ the square kernel `name.weight`, + `name.bias` where there is one.
    package func convolution(
        _ x: GraphValue, _ name: String, stride: Int = 1, padding: Int = 0, dilation: Int = 1
    ) throws -> GraphValue {
        try convolution(x, name, stride: stride, zeros: (padding, padding), dilation: dilation)
    }

    /// The same with other numbers of zeros before the map than behind it, in both directions.
    package func convolution(
        _ x: GraphValue, _ name: String, stride: Int, zeros: (before: Int, after: Int), dilation: Int
    ) throws -> GraphValue {
        let kernel = try shape(ofWeight: "\(name).weight")[2]
        var inputs = [x, try weight("\(name).weight")]
        if hasWeight("\(name).bias") { inputs.append(try weight("\(name).bias")) }
        return node(
            "Conv", inputs,
            [
                ("kernel_shape", .integers([kernel, kernel])), ("strides", .integers([stride, stride])),
                ("pads", .integers([zeros.before, zeros.before, zeros.after, zeros.after])),
                ("dilations", .integers([dilation, dilation])), ("group", .integer(1)),
            ])
    }

    /// By the running statistics of the layer.
    package func batchNormalization(_ x: GraphValue, _ name: String) throws -> GraphValue {
        node(
            "BatchNormalization",
            [x] + (try ["weight", "bias", "running_mean", "running_var"].map { try weight("\(name).\($0)") }),
            [("epsilon", .float(Float(BatchNormalization.epsilon)))])
    }

    /// GroupNormalization came with opset 18: here each group is an instance of its own, [N, groups, the rest], and the
    /// affine map of the channels follows.
    package func groupNormalization(_ x: GraphValue, _ name: String, groups: Int) throws -> GraphValue {
        let channels = try shape(ofWeight: "\(name).weight")[0]
        let grouped = node("Reshape", [x, integers([0, groups, -1])])
        let normal = node(
            "InstanceNormalization",
            [
                grouped, floats([Float](repeating: 1, count: groups)), floats([Float](repeating: 0, count: groups)),
            ], [("epsilon", .float(Float(GroupNormalization.epsilon)))])
        let whole = node("Reshape", [normal, node("Shape", [x])])
        func byChannel(_ part: String) throws -> GraphValue {
            node("Reshape", [try weight("\(name).\(part)"), integers([1, channels, 1, 1])])
        }
        return node("Add", [node("Mul", [whole, try byChannel("weight")]), try byChannel("bias")])
    }

    package func rectify(_ x: GraphValue) -> GraphValue { node("Relu", [x]) }

    package func add(_ a: GraphValue, _ b: GraphValue) -> GraphValue { node("Add", [a, b]) }

    package func maxPool(_ x: GraphValue, kernel: Int, stride: Int, padding: Int) -> GraphValue {
        node(
            "MaxPool", [x],
            [
                ("kernel_shape", .integers([kernel, kernel])), ("strides", .integers([stride, stride])),
                ("pads", .integers([padding, padding, padding, padding])),
            ])
    }

    // MARK: Sizes that are known only when the graph is run

    /// One dimension of a value, as a number without dimensions.
    package func dimension(_ x: GraphValue, _ axis: Int) -> GraphValue {
        node("Gather", [node("Shape", [x]), integers([axis], shape: [])])
    }

    /// As float32.
    package func asFloat(_ x: GraphValue) -> GraphValue { node("Cast", [x], [("to", .integer(1))]) }

    /// [N, C, h, w] of x, height and width of `other`.
    private func size(of x: GraphValue, at other: GraphValue) -> GraphValue {
        let own = node("Slice", [node("Shape", [x]), integers([0]), integers([2])])
        let place = node("Slice", [node("Shape", [other]), integers([2]), integers([4])])
        return node("Concat", [own, place], [("axis", .integer(0))])
    }

    /// x at the height and width of `other`, not less than its own: each place takes the nearest at or before it.
    package func enlarge(_ x: GraphValue, like other: GraphValue) -> GraphValue {
        node(
            "Resize", [x, nil, nil, size(of: x, at: other)],
            [
                ("mode", .text("nearest")), ("coordinate_transformation_mode", .text("asymmetric")),
                ("nearest_mode", .text("floor")),
            ])
    }

    /// x at the height and width of `other`, between its places by two lines (PyTorch's `align_corners=False`).
    package func interpolate(_ x: GraphValue, like other: GraphValue) -> GraphValue {
        node(
            "Resize", [x, nil, nil, size(of: x, at: other)],
            [("mode", .text("linear")), ("coordinate_transformation_mode", .text("half_pixel"))])
    }
}
