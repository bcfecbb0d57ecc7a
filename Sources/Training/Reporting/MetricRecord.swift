import Files
import Foundation
import Threads

/// Numbers of one moment of a run: a line of metrics.jsonl.
package struct MetricRecord: Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// After an update.
        case train
        /// Scores; the value for random weights is beside each under its name and `floorSuffix`.
        case evaluation
        /// A run begins or is resumed.
        case start
        /// A run leaves: how much of its time since the first start brought it further, in seconds and as a share.
        case end
    }

    /// Names of values that the curves know.
    package static let loss = "loss"
    package static let learningRate = "learningRate"
    package static let imagesPerSecond = "imagesPerSecond"
    /// "kNNAccuracy" has its value for random weights in "kNNAccuracyRandom".
    package static let floorSuffix = "Random"
    /// The best value of the run so far is in "kNNAccuracyBest", its step in "kNNAccuracyBestStep".
    package static let bestSuffix = "Best"
    /// Behind the name of the best.
    package static let bestStepSuffix = "Step"

    /// Whether a value of an evaluation is no score, but stands beside one.
    static func isBesideScore(_ name: String) -> Bool {
        [floorSuffix, bestSuffix, bestSuffix + bestStepSuffix].contains { name.hasSuffix($0) }
    }

    package var kind: Kind
    /// Updates done.
    package var step: Int
    /// Epochs done, with fraction.
    package var epoch: Double
    /// Seconds since 1970.
    package var time: Double
    package var values: [String: Double]

    package init(
        _ kind: Kind, step: Int, epoch: Double, time: Double = SystemClock().wall, values: [String: Double]
    ) {
        (self.kind, self.step, self.epoch, self.time, self.values) = (kind, step, epoch, time, values)
    }

    /// One JSON object in one line; values in order of their names, null for what is not finite.
    package var json: String {
        func number(_ value: Double) -> String {
            // Whole numbers without ".0".
            value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : value.isFinite ? "\(value)" : "null"
        }
        var fields = [
            "\"kind\":\"\(kind.rawValue)\"", "\"step\":\(step)", "\"epoch\":\(number(epoch))",
            "\"time\":\(number(time))",
        ]
        fields += values.sorted { $0.key < $1.key }.map { "\($0.key.quotedAsJSON):\(number($0.value))" }
        return "{" + fields.joined(separator: ",") + "}"
    }

    /// Nil where the line is not such an object; what is not a number is left out, null is NaN.
    package init?(json line: some StringProtocol) {
        // A line that does not parse is reported by the reader of the file, which knows its number.
        guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
            let kind = (object["kind"] as? String).flatMap(Kind.init(rawValue:)),
            let step = (object["step"] as? NSNumber)?.intValue,
            let epoch = (object["epoch"] as? NSNumber)?.doubleValue,
            let time = (object["time"] as? NSNumber)?.doubleValue
        else { return nil }
        var values: [String: Double] = [:]
        for (name, value) in object where !["kind", "step", "epoch", "time"].contains(name) {
            if value is NSNull { values[name] = .nan }
            if let number = value as? NSNumber { values[name] = number.doubleValue }
        }
        self.init(kind, step: step, epoch: epoch, time: time, values: values)
    }
}
