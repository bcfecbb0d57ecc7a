package import TensorCore

/// Which background patches are known: those whose 3×3 positions hold no hole.
package enum PatchValidity {
    /// Masks [N, H, W], 1 = hole, by `rate` smaller: of a rectangle the first pixel of each cell, of free forms the largest.
    package static func reduced(_ masks: Tensor, by rate: Int, _ form: HoleForm) -> Tensor {
        let (images, height, width) = (masks.shape[0], masks.shape[1], masks.shape[2])
        precondition(height % rate == 0 && width % rate == 0, "masks \(masks.shape) in cells of \(rate)")
        let rows = height / rate, columns = width / rate, result = Tensor([images, rows, columns])
        let source = masks.floats, target = result.floats, reach = form == .free ? rate : 1
        for place in 0..<result.count {
            let (row, column) = place.quotientAndRemainder(dividingBy: columns)
            // Rows of images follow each other in both.
            var hole: Float = 0
            for y in 0..<reach {
                for x in 0..<reach { hole = max(hole, source[(row * rate + y) * width + column * rate + x]) }
            }
            target[place] = hole
        }
        return result
    }

    /// Masks [N, H, W] of positions → [N, H · W]: 0 where a patch is known and −∞ where it is not. Beyond the border
    /// nothing is a hole.
    package static func bias(_ masks: Tensor) -> Tensor {
        let (height, width) = (masks.shape[1], masks.shape[2])
        let result = Tensor([masks.shape[0], height * width]), source = masks.floats, target = result.floats
        for place in 0..<result.count {
            let (row, x) = place.quotientAndRemainder(dividingBy: width),
                (image, y) = row.quotientAndRemainder(dividingBy: height)
            let isKnown = (max(y - 1, 0)...min(y + 1, height - 1)).allSatisfy { y in
                (max(x - 1, 0)...min(x + 1, width - 1)).allSatisfy { x in
                    source[(image * height + y) * width + x] == 0
                }
            }
            target[place] = isKnown ? 0 : -.infinity
        }
        return result
    }
}
