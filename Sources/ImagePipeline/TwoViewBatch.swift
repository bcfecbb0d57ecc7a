package import TensorCore

/// Two views of each image with their boxes: what a training step eats.
package final class TwoViewBatch {
    /// [N, S, S, 3], normalised.
    package let view1, view2: Tensor
    /// [N, 4]: (x0, y0, x1, y1) in the image, each axis in 0…1; x0 > x1 where the view is flipped.
    package let box1, box2: Tensor

    package init(view1: Tensor, view2: Tensor, box1: Tensor, box2: Tensor) {
        precondition(
            view1.shape == view2.shape && box1.shape == [view1.shape[0], 4] && box2.shape == box1.shape,
            "views \(view1.shape) and \(view2.shape), boxes \(box1.shape) and \(box2.shape)")
        (self.view1, self.view2, self.box1, self.box2) = (view1, view2, box1, box2)
    }

    /// A batch to be filled, of `count` images.
    convenience init(count: Int, imageSize: Int) {
        func view() -> Tensor { Tensor([count, imageSize, imageSize, 3]) }
        self.init(view1: view(), view2: view(), box1: Tensor([count, 4]), box2: Tensor([count, 4]))
    }
}
