import Files
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
    /// "knn top-1" has its value for random weights in "knn top-1Random".
    package static let floorSuffix = "Random"
    /// The best value of the run so far is in "knn top-1Best", its step in "knn top-1BestStep".
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
    package init?(json line: some StringProtocol) { self.init(json: Array(line.utf8)) }

    package init?(json line: [UInt8]) {
        var reader = JSONReader(line), kind: Kind?, step: Int?, epoch: Double?, time: Double?
        var values: [String: Double] = [:]
        do {
            try reader.object { reader, key in
                switch key {
                case "kind": kind = Kind(rawValue: try reader.string())
                case "step": step = try reader.integer()
                case "epoch": epoch = try reader.double()
                case "time": time = try reader.double()
                default: values[key] = try reader.doubleIfNumber()
                }
            }
            try reader.end()
        } catch {
            // The reader of the file, which knows the line's number, reports it.
            return nil
        }
        guard let kind, let step, let epoch, let time else { return nil }
        self.init(kind, step: step, epoch: epoch, time: time, values: values)
    }
}
