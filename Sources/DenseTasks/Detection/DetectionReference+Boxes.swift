import Checkpointing
import Files
import Learning
import MessagePassing
import TensorCore

/// Boxes of a reference: those that points were given, and those that are found.
extension DetectionReference {
    /// Adds a row each for whose boxes the points have, exactly, and for distances and centerness. Collective.
    func compareTargets(_ targets: FCOSTargets, _ points: PyramidPoints, _ comparison: ReferenceComparison) throws {
        let images = comparison.images, count = points.count
        func expected(_ name: String, _ columns: [Int]) throws -> [Float] {
            try reference.require("expected.targets.\(name)", shape: [self.images, count] + columns)
            return try reference.file.readTensor("expected.targets.\(name)").rows(images).array
        }
        let boxes = try expected("box", []), centerness = try expected("centerness", [])
        let distances = try expected("distances", [4])
        var others = 0.0, errors = SIMD2<Double>()
        for (level, grid) in zip(targets.levels, points.levels) {
            let sides = level.distances.floats
            for image in 0..<images.count {
                for cell in 0..<grid.count {
                    let ours = image * grid.count + cell, theirs = image * count + grid.first + cell
                    if Float(level.boxes[ours] ?? -1) != boxes[theirs] { others += 1 }
                    errors[0] = max(errors[0], Double(abs(level.centerness[ours] - centerness[theirs])))
                    for side in 0..<4 {
                        errors[1] = max(errors[1], Double(abs(sides[4 * ours + side] - distances[4 * theirs + side])))
                    }
                }
            }
        }
        let counted = try comparison.communicator.sum([others])[0]
        let largest = try comparison.communicator.maximum([errors[0], errors[1]])
        comparison.report.tensors += [
            .init(kind: "targets", name: "box", error: counted, allowed: 0),
            .init(kind: "targets", name: "centerness", error: largest[0], allowed: ReferenceComparison.floor),
            .init(kind: "targets", name: "distances", error: largest[1], allowed: ReferenceComparison.floor),
        ]
    }

    /// A point and a class: which detection it is, whatever its place among nearly equal scores.
    struct Identity: Hashable {
        let point, category: Int
    }

    /// Those of an image, by identity.
    typealias Detections = [Identity: (sides: [Double], score: Double)]

    /// Adds a row each for detections that only one side has, and for the boxes and scores of the others. Collective.
    ///
    /// - Parameters:
    ///   - found: of each of this rank's images.
    ///   - expected: of the same images.
    func compare(_ found: [[FoundObject]], _ expected: [Detections], _ comparison: ReferenceComparison) throws {
        var others = 0, errors = SIMD2<Double>()
        for (found, expected) in zip(found, expected) {
            var expected = expected
            for object in found {
                let key = Identity(point: object.point, category: object.category)
                guard let theirs = expected.removeValue(forKey: key) else {
                    others += 1
                    continue
                }
                let sides = [object.box.x, object.box.y, object.box.right, object.box.bottom]
                for (ours, theirs) in zip(sides, theirs.sides) { errors[0] = max(errors[0], abs(ours - theirs)) }
                errors[1] = max(errors[1], abs(object.score - theirs.score))
            }
            others += expected.count
        }
        let counted = try comparison.communicator.sum([Double(others)])[0]
        let largest = try comparison.communicator.maximum([errors[0], errors[1]])
        comparison.report.tensors.append(.init(kind: "detections", name: "found", error: counted, allowed: 0))
        for (name, error) in zip(["boxes", "scores"], largest) {
            try reference.require("drift.detections.\(name)", shape: [1])
            let drift = Double(try reference.floats("drift.detections.\(name)")[0])
            comparison.report.tensors.append(
                .init(
                    kind: "detections", name: name, error: error,
                    allowed: max(ReferenceComparison.driftFactor * drift, ReferenceComparison.floor)))
        }
    }

    func expectedDetections(_ image: Int, points count: Int) throws -> Detections {
        let most = settings.rule.most
        func row(_ name: String, _ columns: [Int]) throws -> [Float] {
            try reference.require("expected.detections.\(name)", shape: [images] + columns)
            return try reference.file.readTensor("expected.detections.\(name)").rows(image..<image + 1).array
        }
        let boxes = try row("boxes", [most, 4]), scores = try row("scores", [most])
        let classes = try row("classes", [most]), points = try row("points", [most])
        var expected: Detections = [:]
        for at in 0..<(try whole(try row("count", [])[0], below: most + 1, in: "expected.detections.count")) {
            let key = Identity(
                point: try whole(points[at], below: count, in: "expected.detections.points"),
                category: try whole(classes[at], below: settings.model.classes, in: "expected.detections.classes"))
            expected[key] = (boxes[4 * at..<4 * at + 4].map { Double($0) }, Double(scores[at]))
        }
        return expected
    }
}
