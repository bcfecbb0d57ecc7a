import Files
import ImagePipeline
import TensorCore
import TestSupport
import Testing

/// Batches are kept sample by sample, and any of them make a batch again, bit for bit.
@Suite struct SampleBatchTests {
    private func views(_ count: Int) -> TwoViewBatch {
        func tensor(_ shape: [Int], _ key: UInt64) -> Tensor { randomTensor([count] + shape, key: key) }
        return TwoViewBatch(
            view1: tensor([4, 4, 3], 1), view2: tensor([4, 4, 3], 2), box1: tensor([4], 3), box2: tensor([4], 4))
    }

    @Test func viewsAreKept() throws {
        let batch = views(5), packed = batch.packed
        #expect(packed.count == 5)
        let part = try TwoViewBatch(packed: Array(packed[2...3]))
        #expect(part.view1.array == batch.view1.rows(2..<4).array && part.view2.array == batch.view2.rows(2..<4).array)
        #expect(part.box1.array == batch.box1.rows(2..<4).array && part.box2.array == batch.box2.rows(2..<4).array)
    }

    @Test func labelsAreKept() throws {
        let labels: [[UInt8]] = [Array(0..<8), Array(8..<16), Array(16..<24)]
        let batch = LabelledBatch(images: randomTensor([3, 2, 4, 3], key: 1), labels: labels)
        let part = try LabelledBatch(packed: [batch.packed[2], batch.packed[0]])
        #expect(part.ids == labels[2] + labels[0])
        #expect(part.images.rows(0..<1).array == batch.images.rows(2..<3).array)
    }

    @Test func holesAreKept() throws {
        let windows = [
            PixelWindow(top: 1, left: 2, height: 2, width: 2), PixelWindow(top: 0, left: 0, height: 4, width: 1),
        ]
        let batch = MaskedBatch(
            images: randomTensor([2, 4, 4, 3], key: 1), masks: randomTensor([2, 4, 4, 1], key: 2), windows: windows)
        let again = try MaskedBatch(packed: batch.packed)
        #expect(again.images.array == batch.images.array && again.masks.array == batch.masks.array)
        #expect(again.windows == windows)
    }

    /// Whatever a damaged file says, there is an error and no crash.
    @Test func damagedSamplesAreRefused() throws {
        let sound = views(1).packed[0]
        for count in 0..<sound.count where count % 5 == 0 {
            #expect(throws: PackedReader.Damaged.self) { try TwoViewBatch(packed: [Array(sound.prefix(count))]) }
        }
        #expect(throws: PackedReader.Damaged.self) { try LabelledBatch(packed: [sound]) }
        #expect(throws: PackedReader.Damaged.self) { try MaskedBatch(packed: [sound]) }
        #expect(throws: PackedReader.Damaged.self) { try TwoViewBatch(packed: []) }
        var generator = KeyedGenerator(5)
        for _ in 0..<300 {
            var bytes = sound
            bytes[generator.integer(below: bytes.count)] = UInt8(generator.integer(below: 256))
            do { _ = try TwoViewBatch(packed: [bytes]) } catch is PackedReader.Damaged {}
        }
    }
}
