import Evaluation
import MessagePassing
import TensorCore
import TestSupport
import Testing

/// The segmentation probe on simulated ranks.
@Suite struct SegmentationProbeTests {
    private static let classes = 3, channels = 8, mapRows = 3, mapColumns = 4, cellSide = 8
    private static let scheme = LabelScheme(classes: classes, void: nil)

    /// A map whose cells have one class each: its features are that class's direction with noise, all of them mixed.
    private static func picture(_ index: Int) -> (map: Tensor, labels: PixelLabels) {
        var generator = KeyedGenerator(7, UInt64(index))
        let map = Tensor([mapRows, mapColumns, channels])
        var ids = [UInt8](repeating: 0, count: map.count / channels * cellSide * cellSide)
        for cell in 0..<mapRows * mapColumns {
            let id = Int(generator.uniform() * Double(classes))
            let common = generator.normal()
            for c in 0..<channels {
                // A large part that all channels share, as rectified features have: only whitened it is harmless.
                let noise = 0.5 * generator.normal() + 20 * common
                map.floats[cell * channels + c] = Float((c % classes == id ? 1.5 : 0) + noise) + 40
            }
            for y in 0..<cellSide {
                let row = cell / mapColumns * cellSide + y, start = row * mapColumns + cell % mapColumns
                for x in 0..<cellSide { ids[start * cellSide + x] = UInt8(id) }
            }
        }
        return (map, PixelLabels(width: mapColumns * cellSide, height: mapRows * cellSide, ids: ids))
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
        var confusion = ConfusionMatrix(classes: classes)
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
                        pictures: Self.pictures(of: world), classes: Self.classes, channels: Self.channels,
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
                pictures: Self.pictures(of: world), classes: Self.classes, channels: Self.channels, communicator: world
            ) { done, _ in if done == 3 && world.rank == 2 { throw Enough() } }
        }
        for outcome in outcomes {
            let error = #expect(throws: AgreedError.self) { try outcome.get() }
            #expect(error?.description == "training the segmentation probe: rank 2: Enough()")
        }
    }
}
