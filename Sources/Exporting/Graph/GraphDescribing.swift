import ImagePipeline
package import NeuralNetwork

/// A task that can say what its networks compute, for runtimes that know nothing of this program.
package protocol GraphDescribing {
    /// Adds to a graph what the network of an export map computes of images [N, 3, H, W], normalised, and its outputs.
    ///
    /// A backbone alone is described without the task.
    func describe(_ network: String, of images: GraphValue, in graph: GraphBuilder) throws
}

extension GraphBuilder {
    /// The images that a network is given: float32 [batch, 3, height, width], RGB.
    ///
    /// - Parameter normalizes: whether they are in 0…1 and are normalised by the graph; else they are normalised.
    package func images(normalizes: Bool) -> GraphValue {
        let images = input("images", .float32, ["batch", 3, "height", "width"])
        guard normalizes else { return images }
        let centred = node("Sub", [images, floats(PixelNormalization.mean, shape: [1, 3, 1, 1])])
        return node("Div", [centred, floats(PixelNormalization.deviation, shape: [1, 3, 1, 1])])
    }

    /// A backbone alone, with the outputs C2 to C5.
    package func describeBackbone(
        _ images: GraphValue, _ architecture: ResNetArchitecture, outputStride: Int
    ) throws {
        let maps = try resNet(images, architecture, outputStride: outputStride, prefix: "")
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
