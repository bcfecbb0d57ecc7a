import Evaluation
import MessagePassing
import TensorCore
import TestSupport

let evaluationChecks: [String: Check] = ["segmentation-probe": checkSegmentationProbe]

private let maps = LabelledMaps(classes: 3, channels: 24, rows: 4, columns: 6)

private func picture(_ index: Int) -> (map: Tensor, labels: PixelLabels) {
    let (map, ids) = maps.picture(index)
    return (map, PixelLabels(width: maps.width, height: maps.height, ids: ids))
}

/// The probe's score on pictures it has not seen.
private func checkSegmentationProbe(_ runtime: MPIRuntime, _: [String]) throws {
    let world = runtime.world
    let scheme = LabelScheme(classes: maps.classes, void: nil)
    let pictures = (0..<20).filter { $0 % world.size == world.rank }.map { index in
        let (map, labels) = picture(index)
        return ProbePicture(
            upright: ProbeSample(map: map, labels: labels, scheme: scheme),
            mirrored: ProbeSample(map: map.mirrored, labels: labels.mirrored, scheme: scheme),
            isHeldOut: index % 10 == 0)
    }
    let probe = try SegmentationProbe(
        pictures: pictures, classes: maps.classes, channels: maps.channels, communicator: world)
    var confusion = ConfusionMatrix(classes: maps.classes)
    let resizers = Upsamplings(every: 1)
    for index in 100..<110 {
        let (map, labels) = picture(index)
        probe.classifier.score(
            map.reshaped([1] + map.shape), labels: labels, scheme: scheme, into: &confusion, resizers)
    }
    guard let score = confusion.meanIntersectionOverUnion else { throw CheckFailure("nothing was scored") }
    try require(score > 0.6, "a score of \(score)")
    // What one rank's progress throws ends the training on all.
    var agreed: AgreedError?
    do {
        _ = try SegmentationProbe(
            pictures: pictures, classes: maps.classes, channels: maps.channels, communicator: world
        ) {
            done, _ in
            if done == 3 && world.rank == world.size - 1 { throw CheckFailure("enough") }
        }
    } catch let error as AgreedError { agreed = error }
    try require(agreed?.description.contains("enough") == true, "progress threw, and what came is \(agreed as Any)")
}
