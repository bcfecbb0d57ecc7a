package import ImagePipeline
package import NeuralNetwork

/// A task that can say what its networks compute, for runtimes that know nothing of this program.
package protocol GraphDescribing {
    /// Adds to a graph the inputs of the network of an export map, what it computes, and its outputs.
    ///
    /// A backbone alone is described without the task.
    ///
    /// - Parameter normalization: of pixels in 0…1 by the graph; nil where they come normalised.
    func describe(_ network: String, in graph: GraphBuilder, _ normalization: PixelNormalization?) throws
}

extension GraphBuilder {
    /// The input `images` of what sees pixels as backbones do: float32 [batch, 3, height, width], RGB.
    ///
    /// - Parameter normalization: of pixels in 0…1 by the graph; nil where they come normalised.
    package func images(_ normalization: PixelNormalization?) -> GraphValue {
        let images = input("images", .float32, ["batch", 3, "height", "width"])
        guard let normalization else { return images }
        func byChannel(_ values: SIMD3<Float>) -> GraphValue {
            floats([values.x, values.y, values.z], shape: [1, 3, 1, 1])
        }
        return node("Div", [node("Sub", [images, byChannel(normalization.mean)]), byChannel(normalization.deviation)])
    }

    /// A backbone alone, with the outputs C2 to C5.
    package func describeBackbone(
        _ architecture: ResNetArchitecture, outputStride: Int, _ normalization: PixelNormalization?
    ) throws {
        let maps = try resNet(images(normalization), architecture, outputStride: outputStride, prefix: "")
        for (level, map) in zip(architecture.levels(outputStride: outputStride), maps) {
            outputMap(map, as: level.name, channels: level.channels)
        }
    }

    /// [batch, channels, rows, columns], the latter being of the level's name.
    package func outputMap(_ map: GraphValue, as name: String, channels: Int) {
        output(
            map, as: name, .float32,
            ["batch", .size(channels), .named("\(name) rows"), .named("\(name) columns")])
    }
}
