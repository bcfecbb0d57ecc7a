import Files
package import ImagePipeline
import MessagePassing
package import TensorCore

/// Images of unequal size with the objects in them.
package final class DetectionBatch {
    /// By image [h, w, 3], normalised; nil until it is loaded.
    package let images: BatchPlaces<Tensor?>
    /// In pixels of each image.
    package let objects: BatchPlaces<[TargetObject]>
    /// The sides of the batch are multiples of it.
    private let sideMultiple: Int

    /// A batch to be filled.
    package init(count: Int, sideMultiple: Int) {
        images = BatchPlaces(count: count, nil)
        objects = BatchPlaces(count: count, [])
        self.sideMultiple = sideMultiple
    }

    /// Height and width in pixels that hold each image.
    package var largest: (height: Int, width: Int) {
        (images.all.map { $0!.shape[0] }.max()!, images.all.map { $0!.shape[1] }.max()!)
    }

    /// The images [N, H, W, 3] in the left upper corners of ones that hold all of them on all ranks, zeros around: what is
    /// learned from a batch must not depend on how it was dealt. Collective.
    func padded(_ communicator: any Collective) throws -> Tensor {
        let own = largest, all = try communicator.maximum([Int64(own.height), Int64(own.width)])
        return padded(height: Int(all[0]), width: Int(all[1]))
    }

    /// The same of images of at least this size.
    package func padded(height: Int, width: Int) -> Tensor {
        func rounded(_ side: Int) -> Int { (side + sideMultiple - 1) / sideMultiple * sideMultiple }
        let batch = Tensor.zeros([images.count, rounded(height), rounded(width), 3])
        let (rows, columns) = (batch.shape[1], batch.shape[2])
        for (index, image) in images.all.enumerated() {
            let image = image!, count = image.shape[1] * 3
            for row in 0..<image.shape[0] {
                (batch.pointer + (index * rows + row) * columns * 3).update(
                    from: image.pointer + row * count, count: count)
            }
        }
        return batch
    }
}

extension DetectionBatch: SampleBatch {
    package var packed: [[UInt8]] {
        zip(images.all, objects.all).map { image, objects in
            var writer = PackedWriter()
            writer.add(sideMultiple)
            writer.add(image!)
            writer.add(objects) { writer, object in
                for side in [object.box.x, object.box.y, object.box.width, object.box.height] { writer.add(side) }
                writer.add(object.category)
            }
            return writer.bytes
        }
    }

    package convenience init(packed: [[UInt8]]) throws {
        let samples = try packed.map { bytes in
            var reader = PackedReader(bytes)
            return (
                multiple: try reader.number(), image: try reader.tensor(),
                objects: try reader.list { reader in
                    let box = Box(
                        x: try reader.double(), y: try reader.double(), width: try reader.double(),
                        height: try reader.double())
                    return TargetObject(box: box, category: try reader.number())
                }
            )
        }
        guard let multiple = samples.first?.multiple, (1...1024).contains(multiple),
            samples.allSatisfy({ $0.multiple == multiple && $0.image.shape.count == 3 && $0.image.shape[2] == 3 })
        else { throw PackedReader.Damaged() }
        self.init(count: samples.count, sideMultiple: multiple)
        for (place, sample) in samples.enumerated() {
            (images[place], self.objects[place]) = (sample.image, sample.objects)
        }
    }
}
