import Files
import Foundation
import Learning
import Settings
package import SystemPackage
package import TensorCore

/// What `pixpro-bench measure` found out about a node, and about the network if it ran on several: `node.json`.
package struct NodeMeasurement: Sendable, Equatable, Codable {
    /// Of the file's form.
    package var version = Self.currentVersion
    /// As the log of a run has it: "pixpro (official), resnet50 at 224 px".
    package var task: String
    /// What tells the network from others: trained parameters, and bytes of maps of an image.
    package var parameters, activationBytes: Int
    package var precision: String
    /// Cores that a rank may use, and the threads that computed.
    package var cores, threads: Int
    /// Image pairs (of a task without views: images) of a rank in a micro-batch, and another number of them.
    package var images, fewerImages: Int
    package var steps: Steps
    package var links: Links

    package struct Steps: Sendable, Equatable, Codable {
        /// With all images.
        package var timeline: StepTimeline
        package var delays: DelayRates
        /// Seconds of a micro-batch with fewer images.
        package var fewerImagesSeconds: Double
        /// Standard deviation of whole steps, in seconds.
        package var deviation: Double

        package init(timeline: StepTimeline, delays: DelayRates, fewerImagesSeconds: Double, deviation: Double) {
            (self.timeline, self.delays) = (timeline, delays)
            (self.fewerImagesSeconds, self.deviation) = (fewerImagesSeconds, deviation)
        }
    }

    package struct Links: Sendable, Equatable, Codable {
        /// Bytes that a rank adds to others in a second.
        package var sumBytesPerSecond: Double
        /// Between hosts, where it was measured on several.
        package var network: NetworkLink?
        /// Between ranks of one host, where there were several.
        package var withinHost: NetworkLink?

        package init(sumBytesPerSecond: Double, network: NetworkLink? = nil, withinHost: NetworkLink? = nil) {
            (self.sumBytesPerSecond, self.network, self.withinHost) = (sumBytesPerSecond, network, withinHost)
        }
    }

    package static let currentVersion = 2

    package init(
        task: String, _ configuration: RunConfiguration, precision: ElementType, cores: Int, threads: Int, images: Int,
        fewerImages: Int, steps: Steps, links: Links
    ) {
        parameters = configuration.task.parameterCount
        activationBytes = configuration.task.activationBytesPerImage
        (self.task, self.precision, self.cores, self.threads) = (task, precision.rawValue, cores, threads)
        (self.images, self.fewerImages, self.steps, self.links) = (images, fewerImages, steps, links)
    }

    package var elementType: ElementType { ElementType(rawValue: precision) ?? .float32 }

    /// The step of a rank with so many images in a micro-batch: its time lies on the line through the two measured ones.
    package func timeline(images wanted: Int) -> StepTimeline {
        let most = steps.timeline.microBatchSeconds, proportion = Double(wanted) / Double(images)
        guard images > fewerImages else { return steps.timeline.scaled(by: proportion) }
        let perImage = (most - min(steps.fewerImagesSeconds, most)) / Double(images - fewerImages)
        let seconds = most + perImage * Double(wanted - images)
        // Noise must not make few images free, nor many of them cheaper than few.
        return steps.timeline.scaled(by: max(seconds / most, 0.5 * proportion))
    }

    /// - Throws: `ScalingError` where the run that is planned trains another network, or other sizes.
    package func check(_ configuration: RunConfiguration) throws {
        let task = configuration.task
        guard task.parameterCount == parameters, task.activationBytesPerImage == activationBytes else {
            throw ScalingError(
                "the measurement is of \(self.task) with \(parameters) parameters, the configuration's network has "
                    + "\(task.parameterCount), or pictures of another size: measure with the same --config and --set")
        }
    }

    // MARK: The file

    /// - Throws: `FileError` for a file that cannot be read or is not whole, with what to do.
    package static func read(_ path: FilePath) throws -> NodeMeasurement {
        let remedy = "; measure anew: pixpro-bench measure --output \(path.shown)"
        let measurement: NodeMeasurement
        do {
            measurement = try JSONDecoder().decode(Self.self, from: Data(WholeFile.bytes(of: path)))
        } catch let error as DecodingError {
            throw FileError(path: path, reason: "is no measurement of a node (\(Self.text(of: error)))" + remedy)
        } catch let error as FileError where error.code == ENOENT {
            throw FileError(path: path, reason: "is not there" + remedy)
        }
        if let fault = measurement.fault { throw FileError(path: path, reason: fault + remedy) }
        return measurement
    }

    package func write(to path: FilePath) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try WholeFile.write(Array(try encoder.encode(self)) + [UInt8(ascii: "\n")], to: path)
    }

    /// What no measurement could be; nil where all is well.
    private var fault: String? {
        let timeline = steps.timeline, delays = steps.delays
        let times =
            (timeline.microBatch + timeline.update).map(\.seconds) + [steps.fewerImagesSeconds, steps.deviation]
            + delays.delays.map(\.seconds)
        let measured = [links.network, links.withinHost].compactMap { $0 }
        switch true {
        case version != Self.currentVersion:
            return "is of version \(version), and this program reads \(Self.currentVersion)"
        case ElementType(rawValue: precision) == nil: return "has no precision '\(precision)'"
        case images < 1 || fewerImages < 1 || fewerImages > images || cores < 1 || threads < 1:
            return "has no sensible counts of images, cores and threads"
        case timeline.microBatch.isEmpty || timeline.microBatchSeconds <= 0: return "has a step without time"
        case times.contains { !$0.isFinite || $0 < 0 }: return "has times below zero"
        case delays.observedSeconds <= 0 || delays.delays.contains { $0.count < 1 }: return "has no sensible delays"
        case links.sumBytesPerSecond <= 0 || measured.contains { $0.latency < 0 || $0.bandwidth <= 0 }:
            return "has a network without bandwidth"
        default: return nil
        }
    }

    private static func text(of error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, _): "no \(key.stringValue)"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")) is something else"
        default: "no JSON"
        }
    }
}
