package import NeuralNetwork
import TensorCore

/// What a detector's losses are divided by: of a micro-batch on all ranks, so that no number of ranks changes them.
package struct LossNormalizers: Sendable, Equatable {
    /// Points with a box.
    package let positives: Double
    /// The sum of their centerness.
    package let centernessSum: Double

    package init(positives: Double, centernessSum: Double) {
        (self.positives, self.centernessSum) = (positives, centernessSum)
    }
}

/// One rank's part of the losses of a micro-batch.
package struct DetectorLosses {
    /// The focal loss of classes, 1 − GIoU of boxes and the cross-entropy of centerness.
    package let classes, boxes, centerness: Double
    /// Their sum, for backward with the seed 1.
    package let variable: Variable

    package var total: Double { classes + boxes + centerness }
}

extension Detector {
    /// `share` · (Σ focal / N + Σ w (1 − GIoU) / M + Σ cross-entropy / N), N the points with a box; by convention w is the
    /// centerness and M its sum, or w is 1 and M = N. Neither is less than 1, M not than 10⁻⁶ where it is a sum of centerness.
    ///
    /// Padding counts as background. Boxes and centerness are of points with a box alone.
    package func losses(
        _ maps: Maps, _ targets: FCOSTargets, _ normalizers: LossNormalizers, share: Double, _ pass: Pass
    ) -> DetectorLosses {
        let positives = max(normalizers.positives, 1), convention = settings.convention
        let boxNormalizer = convention.weighsByCenterness ? max(normalizers.centernessSum, 1e-6) : positives
        var sums = SIMD3<Double>(), variables: [Variable] = []
        for (output, target) in zip(maps.levels, targets.levels) {
            let count = target.boxes.count
            func rows(_ map: Variable, _ columns: Int) -> Variable { reshape(map, [count, columns], pass) }
            let isPositive = target.boxes.map { $0 != nil }
            let classes = focalLoss(
                rows(output.logits, settings.classes), classes: target.categories, weight: share / positives, pass)
            let boxes = giouLoss(
                rows(output.distances, 4), target: target.distances,
                weights: zip(isPositive, target.centerness).map { isPositive, centerness in
                    guard isPositive else { return 0 }
                    return share * (convention.weighsByCenterness ? Double(centerness) : 1) / boxNormalizer
                },
                scales: .init(repeating: convention.comparesPixels ? target.stride : 1, count: count),
                convention: convention.giou, pass)
            let centerness = binaryCrossEntropy(
                rows(output.centerness, 1), targets: target.centerness,
                weights: isPositive.map { $0 ? share / positives : 0 }, pass)
            sums += SIMD3(classes.loss, boxes.loss, centerness.loss)
            variables += [classes.variable, boxes.variable, centerness.variable]
        }
        return DetectorLosses(
            classes: sums[0], boxes: sums[1], centerness: sums[2],
            variable: variables.dropFirst().reduce(variables[0]) { add($0, $1, weight: 1, pass) })
    }
}
