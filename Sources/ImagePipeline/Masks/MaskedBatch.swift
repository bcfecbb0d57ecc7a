package import TensorCore

/// A rectangle of whole pixels.
package struct PixelWindow: Sendable, Equatable {
    package var top, left, height, width: Int

    package init(top: Int, left: Int, height: Int, width: Int) {
        (self.top, self.left, self.height, self.width) = (top, left, height, width)
    }
}

/// Pictures with a hole in each: what a step of inpainting eats.
package final class MaskedBatch {
    /// The truth, [N, H, W, 3] in −1…1.
    package let images: Tensor
    /// [N, H, W, 1]; 1 is hole, 0 is known.
    package let masks: Tensor
    private let places: BatchPlaces<PixelWindow>

    package init(images: Tensor, masks: Tensor, windows: [PixelWindow]) {
        let shape = images.shape
        precondition(
            shape.count == 4 && shape[3] == 3 && masks.shape == [shape[0], shape[1], shape[2], 1]
                && windows.count == shape[0],
            "pictures \(shape) with masks \(masks.shape) and \(windows.count) windows")
        (self.images, self.masks) = (images, masks)
        places = BatchPlaces(count: windows.count, PixelWindow(top: 0, left: 0, height: 0, width: 0))
        for (place, window) in windows.enumerated() { places[place] = window }
    }

    /// A batch to be filled, of squares.
    package init(count: Int, side: Int) {
        images = Tensor([count, side, side, 3])
        masks = Tensor([count, side, side, 1])
        places = BatchPlaces(count: count, PixelWindow(top: 0, left: 0, height: side / 2, width: side / 2))
    }

    /// What the local critic sees of each picture, all of one size: the nominal box of a rectangle, or a window of half the
    /// picture's sides around a free form.
    package var windows: [PixelWindow] { places.all }

    /// Fills a place.
    ///
    /// - Parameter image: [side, side, 3].
    func set(_ position: Int, image: Tensor, hole: HoleMask, window: PixelWindow) {
        images.rows(position..<position + 1).copy(from: image.reshaped([1] + image.shape))
        let mask = masks.rows(position..<position + 1).floats
        for (pixel, isHole) in hole.holes.enumerated() { mask[pixel] = isHole ? 1 : 0 }
        places[position] = window
    }
}
