package import NeuralNetwork

/// The networks of NeuralNetwork as graphs: backbone, pyramid and heads, with the names of their checkpoints.
extension GraphBuilder {
    private func normalizedConvolution(
        _ x: GraphValue, _ convolution: String, _ normalization: String, stride: Int = 1, padding: Int = 0,
        dilation: Int = 1
    ) throws -> GraphValue {
        try batchNormalization(
            self.convolution(x, convolution, stride: stride, padding: padding, dilation: dilation), normalization)
    }

    /// Images [N, 3, H, W], normalised → C2 to C5.
    ///
    /// - Parameter prefix: in front of the backbone's names: `encoder.`.
    package func resNet(
        _ images: GraphValue, _ architecture: ResNetArchitecture, outputStride: Int, prefix: String
    ) throws -> [GraphValue] {
        var x = rectify(
            try normalizedConvolution(images, "\(prefix)conv1", "\(prefix)bn1", stride: 2, padding: 3))
        x = maxPool(x, kernel: 3, stride: 2, padding: 1)
        return try architecture.stages(outputStride: outputStride).enumerated().map { stage, blocks in
            for (index, block) in blocks.enumerated() {
                let name = "\(prefix)layer\(stage + 1).\(index)."
                x = try residualBlock(x, block, name, isBottleneck: architecture.usesBottlenecks)
            }
            return x
        }
    }

    /// The stride is on the first 3×3 convolution.
    private func residualBlock(
        _ x: GraphValue, _ block: BlockGeometry, _ name: String, isBottleneck: Bool
    ) throws -> GraphValue {
        func point(_ x: GraphValue, _ number: Int) throws -> GraphValue {
            try normalizedConvolution(x, "\(name)conv\(number)", "\(name)bn\(number)")
        }
        func wide(_ x: GraphValue, _ number: Int, stride: Int = 1) throws -> GraphValue {
            try normalizedConvolution(
                x, "\(name)conv\(number)", "\(name)bn\(number)", stride: stride, padding: block.dilation,
                dilation: block.dilation)
        }
        let shortcut =
            hasWeight("\(name)downsample.0.weight")
            ? try normalizedConvolution(x, "\(name)downsample.0", "\(name)downsample.1", stride: block.stride) : x
        guard isBottleneck else {
            return rectify(add(try wide(rectify(try wide(x, 1, stride: block.stride)), 2), shortcut))
        }
        let middle = rectify(try wide(rectify(try point(x, 1)), 2, stride: block.stride))
        return rectify(add(try point(middle, 3), shortcut))
    }

    /// The maps of a backbone's levels, finest first, each with its number → those of the pyramid on them, and as many
    /// further levels as there are weights `p6` and `p7`. Names begin with `pyramid.`.
    package func featurePyramid(_ maps: [(number: Int, map: GraphValue)]) throws -> [(number: Int, map: GraphValue)] {
        var merged: GraphValue?, levels: [(number: Int, map: GraphValue)] = []
        for (number, map) in maps.reversed() {
            var lateral = try pyramidConvolution(map, "pyramid.lateral\(number)")
            if let coarser = merged { lateral = add(lateral, enlarge(coarser, like: lateral)) }
            merged = lateral
            levels.insert((number, try pyramidConvolution(lateral, "pyramid.output\(number)")), at: 0)
        }
        for number in 6...7 where hasWeight("pyramid.p\(number).weight") {
            let below = levels[levels.count - 1].map
            let input = number == 6 ? below : rectify(below)
            levels.append((number, try convolution(input, "pyramid.p\(number)", stride: 2, padding: 1)))
        }
        return levels
    }

    /// With a bias, or with a normalisation behind it.
    private func pyramidConvolution(_ x: GraphValue, _ name: String) throws -> GraphValue {
        let padding = try shape(ofWeight: "\(name).conv.weight")[2] / 2
        let y = try convolution(x, "\(name).conv", padding: padding)
        return hasWeight("\(name).bn.weight") ? try batchNormalization(y, "\(name).bn") : y
    }

    /// A detector's tower, as deep as there are weights.
    package func detectorTower(_ x: GraphValue, _ name: String) throws -> GraphValue {
        var x = x, layer = 0
        while hasWeight("\(name).\(layer).conv.weight") {
            let y = try convolution(x, "\(name).\(layer).conv", padding: 1)
            x = rectify(try groupNormalization(y, "\(name).\(layer).gn", groups: DetectorTower.groups))
            layer += 1
        }
        return x
    }

    /// C5 → logits of its cells. Names begin with `decode_head.`.
    package func fcnHead(_ x: GraphValue, dilation: Int) throws -> GraphValue {
        let features = try (0..<2).reduce(x) { map, index in
            let place = "decode_head.convs.\(index)"
            return rectify(
                try normalizedConvolution(
                    map, "\(place).conv", "\(place).bn", padding: dilation, dilation: dilation))
        }
        return try convolution(features, "decode_head.conv_seg")
    }
}
