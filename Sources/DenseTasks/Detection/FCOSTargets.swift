import Glibc
package import TensorCore

/// An object that a detector shall find, in pixels of the padded image.
package struct TargetObject: Sendable, Equatable {
    package let box: Box
    /// Its place among the categories.
    package let category: Int

    package init(box: Box, category: Int) { (self.box, self.category) = (box, category) }
}

/// What each point of a batch shall say (Tian et al. 2019): whose box it is in, and where that box ends.
///
/// A point may be a box's if it lies inside the box and inside the square of half-side 1.5 strides about its centre, both
/// without their edges, and if the box is of its level's sizes; of several it has the smallest, of equal ones the first.
package struct FCOSTargets {
    /// Finest first.
    package let levels: [Level]

    /// Of all images of a level: image by image, row by row.
    package struct Level {
        /// The index of the point's box in its image; nil for background.
        package let boxes: [Int?]
        /// The box's category; nil for background.
        package let categories: [Int?]
        /// [points, 4]: to the left, top, right and bottom of the box, in strides; 0 for background.
        package let distances: Tensor
        /// √(min(l, r) / max(l, r) · min(t, b) / max(t, b)); 0 for background.
        package let centerness: [Float]
        let stride: Double
    }

    /// Points with a box, and the sum of their centerness.
    package var positives: Int { levels.reduce(0) { $0 + $1.boxes.count { $0 != nil } } }
    package var centernessSum: Double { levels.reduce(0) { $0 + $1.centerness.reduce(0) { $0 + Double($1) } } }

    /// - Parameter objects: of each image.
    package init(_ points: PyramidPoints, objects: [[TargetObject]]) {
        levels = points.levels.map { Self.level($0, points.convention, objects) }
    }

    private static func level(
        _ level: PyramidPoints.Level, _ convention: DetectionConvention, _ objects: [[TargetObject]]
    ) -> Level {
        let count = objects.count * level.count, distances = Tensor.zeros([count, 4])
        var boxes = [Int?](repeating: nil, count: count), categories = boxes
        var centerness = [Float](repeating: 0, count: count)
        boxes.withUnsafeMutableBufferPointer { boxes in
            categories.withUnsafeMutableBufferPointer { categories in
                centerness.withUnsafeMutableBufferPointer { centerness in
                    parallelFor(objects.count) { _, images in
                        for image in images {
                            let candidates = objects[image].map { BoxCandidate($0.box, level, convention) }
                            guard !candidates.isEmpty else { continue }
                            for cell in 0..<level.count {
                                let (x, y) = level.point(cell), at = image * level.count + cell
                                guard let best = smallest(candidates, x, y) else { continue }
                                let sides = candidates[best].sides(x, y) / level.stride
                                boxes[at] = best
                                categories[at] = objects[image][best].category
                                centerness[at] = Float(Self.centerness(sides))
                                for side in 0..<4 { distances.floats[4 * at + side] = Float(sides[side]) }
                            }
                        }
                    }
                }
            }
        }
        return Level(
            boxes: boxes, categories: categories, distances: distances, centerness: centerness, stride: level.stride)
    }

    private static func smallest(_ candidates: [BoxCandidate], _ x: Double, _ y: Double) -> Int? {
        var best: Int?
        for (index, candidate) in candidates.enumerated() where candidate.takes(x, y) {
            if best == nil || candidate.rank < candidates[best!].rank { best = index }
        }
        return best
    }

    private static func centerness(_ d: SIMD4<Double>) -> Double {
        (min(d[0], d[2]) / max(d[0], d[2]) * (min(d[1], d[3]) / max(d[1], d[3]))).squareRoot()
    }
}

/// A box as a level sees it.
private struct BoxCandidate {
    let left, top, right, bottom, centreX, centreY: Double
    /// Of candidates that take a point the least has it.
    let rank: Double
    private let radius: Double
    private let sizes: ClosedRange<Double>
    private let rangesAreClosed: Bool

    init(_ box: Box, _ level: PyramidPoints.Level, _ convention: DetectionConvention) {
        (left, top, right, bottom) = (box.x, box.y, box.right, box.bottom)
        (centreX, centreY) = ((left + right) / 2, (top + bottom) / 2)
        rank = convention.rank(area: (right - left) * (bottom - top))
        (radius, sizes, rangesAreClosed) = (1.5 * level.stride, level.sizes, convention.rangesAreClosed)
    }

    /// Pixels to the left, top, right and bottom.
    func sides(_ x: Double, _ y: Double) -> SIMD4<Double> { SIMD4(x - left, y - top, right - x, bottom - y) }

    func takes(_ x: Double, _ y: Double) -> Bool {
        guard abs(x - centreX) < radius, abs(y - centreY) < radius else { return false }
        let sides = sides(x, y), reach = sides.max()
        guard sides.min() > 0 else { return false }
        return rangesAreClosed ? sizes.contains(reach) : reach > sizes.lowerBound && reach < sizes.upperBound
    }
}
