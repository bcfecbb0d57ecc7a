package import Exporting
package import ImagePipeline

extension SegmentationSettings: GraphDescribing {
    /// Of a segmenter `logits` [N, classes, H, W] and `labels` [N, H, W], the likeliest class (the lowest of equal ones), at
    /// the size of the images.
    package func describe(_ network: String, in graph: GraphBuilder, _ normalization: PixelNormalization?) throws {
        let images = graph.images(normalization)
        let stages = try graph.resNet(
            images, model.architecture, outputStride: model.outputStride.pixels, prefix: "encoder.")
        let cells = try graph.fcnHead(stages[3], dilation: model.headDilation)
        let logits = graph.interpolate(cells, like: images)
        let classes = try graph.shape(ofWeight: "decode_head.conv_seg.weight")[0]
        graph.output(logits, as: "logits", .float32, ["batch", .size(classes), "height", "width"])
        graph.output(
            graph.node("ArgMax", [logits], [("axis", .integer(1)), ("keepdims", .integer(0))]), as: "labels", .int64,
            ["batch", "height", "width"])
    }
}
