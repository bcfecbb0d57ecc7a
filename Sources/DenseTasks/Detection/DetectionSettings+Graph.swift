package import Exporting
package import ImagePipeline

extension DetectionSettings: GraphDescribing {
    /// Of a detector, for each level P3, P4, …, before suppression: `boxes` [N, cells, 4] (left, top, right, bottom in pixels,
    /// inside the images), `scores` [N, cells, classes] and `classes` [N, cells], the likeliest.
    package func describe(_ network: String, in graph: GraphBuilder, _ normalization: PixelNormalization?) throws {
        let images = graph.images(normalization)
        let stages = try graph.resNet(images, model.architecture, outputStride: 32, prefix: "encoder.")
        let levels = try graph.featurePyramid([(3, stages[1]), (4, stages[2]), (5, stages[3])])
        for (index, level) in levels.enumerated() {
            let name = "P\(level.number)"
            let boxTower = try graph.detectorTower(level.map, "tower_bbox")
            var distances = try graph.convolution(boxTower, "bbox_pred", padding: 1)
            if graph.hasWeight("scales.\(index).scale") {
                distances = graph.node("Mul", [distances, try graph.weight("scales.\(index).scale")])
            }
            let boxes = self.boxes(graph.rectify(distances), of: images, stride: 1 << level.number, in: graph)
            let logits = try graph.convolution(
                try graph.detectorTower(level.map, "tower_cls"), "cls_logits", padding: 1)
            let centerness = try graph.convolution(boxTower, "ctrness", padding: 1)
            let product = graph.node("Mul", [graph.node("Sigmoid", [logits]), graph.node("Sigmoid", [centerness])])
            let scores = byCell(graph.node("Sqrt", [product]), in: graph)
            let classes = try graph.shape(ofWeight: "cls_logits.weight")[0]
            let cells = GraphDimension.named("\(name) cells")
            graph.output(boxes, as: "boxes.\(name)", .float32, ["batch", cells, 4])
            graph.output(scores, as: "scores.\(name)", .float32, ["batch", cells, .size(classes)])
            graph.output(
                graph.node("ArgMax", [scores], [("axis", .integer(2)), ("keepdims", .integer(0))]),
                as: "classes.\(name)", .int64, ["batch", cells])
        }
    }

    /// Distances [N, 4, h, w] in strides → corners [N, cells, 4] in pixels, as `PyramidPoints` and `Detector` have them.
    private func boxes(
        _ distances: GraphValue, of images: GraphValue, stride: Int, in graph: GraphBuilder
    ) -> GraphValue {
        let sides = graph.node("Split", [distances], [("axis", .integer(1))], outputs: 4)
        func corner(_ side: Int, axis: Int) -> GraphValue {
            let reach = graph.node("Mul", [sides[side], graph.floats([Float(stride)])])
            let place = graph.node(
                side < 2 ? "Sub" : "Add", [points(distances, of: images, axis, stride, graph), reach])
            let limit = graph.asFloat(graph.dimension(images, axis))
            return graph.node("Min", [graph.node("Max", [place, graph.floats([0])]), limit])
        }
        let corners = [(0, 3), (1, 2), (2, 3), (3, 2)].map { corner($0.0, axis: $0.1) }
        return byCell(graph.node("Concat", corners, [("axis", .integer(1))]), in: graph)
    }

    /// Where the cells of a map stand along an axis: [1, w] of axis 3, [h, 1] of axis 2.
    private func points(
        _ map: GraphValue, of images: GraphValue, _ axis: Int, _ stride: Int, _ graph: GraphBuilder
    ) -> GraphValue {
        let cells = graph.dimension(map, axis)
        let step =
            model.convention.pointsAreCentred
            ? graph.floats([Float(stride)])
            : graph.asFloat(graph.node("Div", [graph.dimension(images, axis), cells]))
        let numbers = graph.node("Range", [graph.integers([0], shape: []), cells, graph.integers([1], shape: [])])
        let places = graph.node(
            "Add",
            [
                graph.node("Mul", [graph.asFloat(numbers), step]),
                graph.floats([model.convention.pointsAreCentred ? Float(stride / 2) : 0]),
            ])
        return graph.node("Unsqueeze", [places, graph.integers([axis == 3 ? 0 : 1])])
    }

    /// [N, C, h, w] → [N, cells, C], row by row.
    private func byCell(_ map: GraphValue, in graph: GraphBuilder) -> GraphValue {
        graph.node(
            "Transpose", [graph.node("Reshape", [map, graph.integers([0, 0, -1])])],
            [("perm", .integers([0, 2, 1]))])
    }
}
