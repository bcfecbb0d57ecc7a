package import Exporting
package import ImagePipeline

extension PretrainingSettings: GraphDescribing {
    /// Of a backbone with pyramid and towers the pyramid's maps `P3`, …, and where there are towers what they make of each:
    /// `P3.cls`, `P3.bbox`.
    package func describe(_ network: String, in graph: GraphBuilder, _ normalization: PixelNormalization?) throws {
        let images = graph.images(normalization)
        let stages = try graph.resNet(images, model.architecture, outputStride: 32, prefix: "encoder.")
        let maps = model.pyramid.levels.numbers.map { (number: $0, map: stages[$0 - 2]) }
        let channels = model.pyramid.channels
        for (number, map) in try graph.featurePyramid(maps) {
            graph.outputMap(map, as: "P\(number)", channels: channels)
            for tower in ["cls", "bbox"] where graph.hasWeight("tower_\(tower).0.conv.weight") {
                graph.outputMap(
                    try graph.detectorTower(map, "tower_\(tower)"), as: "P\(number).\(tower)", channels: channels)
            }
        }
    }
}
