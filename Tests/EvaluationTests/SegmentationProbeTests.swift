import Evaluation
import MessagePassing
import TensorCore
import TestSupport
import Testing

/// The segmentation probe on simulated ranks.
@Suite struct SegmentationProbeTests {
    private static let maps = LabelledMaps(classes: 3, channels: 8, rows: 3, columns: 4)
    private static let scheme = LabelScheme(classes: maps.classes, void: nil)

    private static func picture(_ index: Int) -> (map: Tensor, labels: PixelLabels) {
        let (map, ids) = maps.picture(index)
        return (map, PixelLabels(width: maps.width, height: maps.height, ids: ids))
    }

    private static func pictures(of world: any Collective) -> [ProbePicture] {
        (0..<20).filter { $0 % world.size == world.rank }.map { index in
            let (map, labels) = picture(index)
            return ProbePicture(
                upright: ProbeSample(map: map, labels: labels, scheme: scheme),
                mirrored: ProbeSample(map: map.mirrored, labels: labels.mirrored, scheme: scheme),
                isHeldOut: index % 10 == 0)
        }
    }

    /// On pictures that it has not seen.
    private static func score(_ probe: SegmentationProbe) -> Double {
        var confusion = ConfusionMatrix(classes: maps.classes)
        let resizers = Upsamplings(every: 1)
        for index in 100..<110 {
            let (map, labels) = picture(index)
            probe.classifier.score(
                map.reshaped([1] + map.shape), labels: labels, scheme: scheme, into: &confusion, resizers)
        }
        return confusion.meanIntersectionOverUnion ?? 0
    }

    /// Ranks share the pictures; what the probe learns does not depend on how many they are.
    @Test func anyNumberOfRanksTrainsTheSameProbe() throws {
        let scores = try [1, 2, 3, 7].map { count in
            let scores = try SimulatedRanks(count, seed: 4).run { world in
                Self.score(
                    try SegmentationProbe(
                        pictures: Self.pictures(of: world), classes: Self.maps.classes, channels: Self.maps.channels,
                        communicator: world))
            }
            #expect(scores.allSatisfy { $0 == scores[0] })
            return scores[0]
        }
        #expect(scores[0] > 0.5, "\(scores)")
        #expect(scores.allSatisfy { abs($0 - scores[0]) < 1e-3 }, "\(scores)")
    }

    /// What one rank's progress throws ends the training on all.
    @Test func anErrorOfOneRanksProgressReachesAll() throws {
        struct Enough: Error {}
        let outcomes = try SimulatedRanks(3).outcomes { world in
            try SegmentationProbe(
                pictures: Self.pictures(of: world), classes: Self.maps.classes, channels: Self.maps.channels,
                communicator: world
            ) { done, _ in if done == 3 && world.rank == 2 { throw Enough() } }
        }
        for outcome in outcomes {
            let error = #expect(throws: AgreedError.self) { try outcome.get() }
            #expect(error?.description == "training the segmentation probe: rank 2: Enough()")
        }
    }
}
