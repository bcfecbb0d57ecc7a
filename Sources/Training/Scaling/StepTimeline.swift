/// What a rank does in a step, in its order: computing, then a message, and so on.
///
/// Measured without a network: seconds are of computing alone.
package struct StepTimeline: Sendable, Equatable, Codable {
    /// Computing up to a message.
    package struct Segment: Sendable, Equatable, Codable {
        /// Seconds of computing, the median over steps.
        package var seconds: Double
        /// What follows.
        package var message: Message
        /// Of passes that are interleaved which one computes, from 0: it alone waits for what is awaited, when it goes on.
        package var pass: Int?

        package init(seconds: Double, message: Message, pass: Int? = nil) {
            (self.seconds, self.message, self.pass) = (seconds, message, pass)
        }
    }

    package enum Message: Sendable, Equatable {
        /// The next segment (of the pass, if it is of one) needs its sum: batch statistics, and what ranks agree on at the
        /// end of a step. Bytes.
        case awaited(Int)
        /// A bucket of gradients, float32, which may travel while the rank computes on. Bytes.
        case gradients(Int)
        /// None.
        case none
    }

    /// Of each micro-batch; the gradients of the last alone travel.
    package var microBatch: [Segment]
    /// After the last one: waiting for gradients, the optimiser, averages, what is told of the step.
    package var update: [Segment]

    package init(microBatch: [Segment], update: [Segment]) { (self.microBatch, self.update) = (microBatch, update) }

    /// Whether it has passes that take turns.
    package var isInterleaved: Bool { microBatch.contains { $0.pass != nil } }

    /// The same step with passes one after another, each of which waits for its sums.
    package var inTurn: StepTimeline {
        var segments: [Segment] = [], passes: [Int: [Segment]] = [:]
        func endPasses() {
            segments += passes.sorted { $0.key < $1.key }.flatMap(\.value)
            passes = [:]
        }
        for segment in microBatch {
            guard let pass = segment.pass else {
                endPasses()
                segments.append(segment)
                continue
            }
            passes[pass, default: []].append(Segment(seconds: segment.seconds, message: segment.message))
        }
        endPasses()
        return StepTimeline(microBatch: segments, update: update)
    }

    /// Seconds of computing of a step with so many micro-batches.
    package func seconds(microBatches: Int) -> Double {
        Double(microBatches) * microBatchSeconds + update.reduce(0) { $0 + $1.seconds }
    }

    /// Seconds of computing of a micro-batch.
    package var microBatchSeconds: Double { microBatch.reduce(0) { $0 + $1.seconds } }

    /// Of the buckets of gradients, in the order in which they travel.
    package var gradientBytes: [Int] {
        microBatch.compactMap { if case .gradients(let bytes) = $0.message { bytes } else { nil } }
    }

    /// Of the messages that a step with so many micro-batches waits for.
    package func awaitedBytes(microBatches: Int) -> [Int] {
        func awaited(_ segments: [Segment]) -> [Int] {
            segments.compactMap { if case .awaited(let bytes) = $0.message { bytes } else { nil } }
        }
        return Array(repeating: awaited(microBatch), count: microBatches).flatMap { $0 } + awaited(update)
    }

    /// The same with micro-batches that take `factor` times as long, and if so the update as well.
    package func scaled(by factor: Double, withUpdate: Bool = false) -> StepTimeline {
        var scaled = self
        for index in scaled.microBatch.indices { scaled.microBatch[index].seconds *= factor }
        if withUpdate { for index in scaled.update.indices { scaled.update[index].seconds *= factor } }
        return scaled
    }
}

extension StepTimeline.Message: Codable {
    private enum Key: String, CodingKey { case awaited, gradients }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        if let bytes = try values.decodeIfPresent(Int.self, forKey: .awaited) {
            self = .awaited(bytes)
        } else if let bytes = try values.decodeIfPresent(Int.self, forKey: .gradients) {
            self = .gradients(bytes)
        } else {
            self = .none
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        switch self {
        case .awaited(let bytes): try values.encode(bytes, forKey: .awaited)
        case .gradients(let bytes): try values.encode(bytes, forKey: .gradients)
        case .none: break
        }
    }
}
