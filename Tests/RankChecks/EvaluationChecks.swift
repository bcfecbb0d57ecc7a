import Evaluation
import MessagePassing
import TensorCore

let evaluationChecks: [String: Check] = ["segmentation-probe": checkSegmentationProbe]

private let classes = 3, channels = 24, mapRows = 4, mapColumns = 6, cellSide = 8

/// A map whose cells have one class each: its features are that class's direction with noise, all of them mixed.
private func picture(_ index: Int) -> (map: Tensor, labels: PixelLabels) {
    var generator = KeyedGenerator(7, UInt64(index))
    let map = Tensor([mapRows, mapColumns, channels])
    var ids = [UInt8](repeating: 0, count: mapRows * mapColumns * cellSide * cellSide)
    for cell in 0..<mapRows * mapColumns {
        let id = Int(generator.uniform() * Double(classes))
        let common = generator.normal()
        for c in 0..<channels {
            // A large part that all channels share, as rectified features have: only whitened it is harmless.
            let noise = 0.5 * generator.normal() + 20 * common
            map.floats[cell * channels + c] = Float((c % classes == id ? 1.5 : 0) + noise) + 40
        }
        for y in 0..<cellSide {
            for x in 0..<cellSide {
                let row = cell / mapColumns * cellSide + y, column = cell % mapColumns * cellSide + x
                ids[row * mapColumns * cellSide + column] = UInt8(id)
            }
        }
    }
    return (map, PixelLabels(width: mapColumns * cellSide, height: mapRows * cellSide, ids: ids))
}

/// The probe's score on pictures it has not seen.
private func checkSegmentationProbe(_ runtime: MPIRuntime, _: [String]) throws {
    let world = runtime.world
    let scheme = LabelScheme(classes: classes, void: nil)
    let pictures = (0..<20).filter { $0 % world.size == world.rank }.map { index in
        let (map, labels) = picture(index)
        return ProbePicture(
            upright: ProbeSample(map: map, labels: labels, scheme: scheme),
            mirrored: ProbeSample(map: map.mirrored, labels: labels.mirrored, scheme: scheme),
            isHeldOut: index % 10 == 0)
    }
    let probe = try SegmentationProbe(pictures: pictures, classes: classes, channels: channels, communicator: world)
    var confusion = ConfusionMatrix(classes: classes)
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
        _ = try SegmentationProbe(pictures: pictures, classes: classes, channels: channels, communicator: world) {
            done, _ in
            if done == 3 && world.rank == world.size - 1 { throw CheckFailure("enough") }
        }
    } catch let error as AgreedError { agreed = error }
    try require(agreed?.description.contains("enough") == true, "progress threw, and what came is \(agreed as Any)")
}
