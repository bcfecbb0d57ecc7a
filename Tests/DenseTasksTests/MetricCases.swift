import Foundation

/// The cases of `Tests/References/metric_cases.py`, whose head says what they hold.
struct MetricCases: Decodable {
    let detection: [DetectionCase]
    let rejected: [DetectionCase]
    let segmentation: [SegmentationCase]

    struct DetectionCase: Decodable {
        let name: String
        let images: [Int]
        let categories: [Int]
        /// image, category, x, y, w, h, area, crowd, ignore
        let truth: [[Double?]]
        /// image, category, x, y, w, h, score
        let found: [[Double?]]
        let coco: [Double]?
        let cocoHonouringIgnore: [Double]?
        let voc: VOC?
        let reason: String?
    }

    struct VOC: Decodable {
        let eleven: [Double?]
        let area: [Double?]
        let meanEleven: Double?
        let meanArea: Double?
    }

    struct SegmentationCase: Decodable {
        let name: String
        let classes: Int
        let ignore: Int
        let height: Int
        let width: Int
        let truth: [UInt8]
        let found: [UInt8]
        let logits: Logits?
        let confusion: [[Int64]]
        let iou: [Double?]
        let mean: Double?
        let counted: Int
        let pixelAccuracy: Double?
    }

    struct Logits: Decodable {
        let rows: Int
        let columns: Int
        let values: [Float]
    }

    /// The project's own, and all that the specification came with where it is there.
    static let all: [MetricCases] = {
        let project = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let own = project.appending(path: "Tests/References/Metrics/cases.json")
        let shared = project.deletingLastPathComponent().appending(path: "shared/peer/metric_cases.json")
        return ([own] + (FileManager.default.fileExists(atPath: shared.path) ? [shared] : [])).map { file in
            do { return try JSONDecoder().decode(MetricCases.self, from: Data(contentsOf: file)) } catch {
                fatalError("\(file.path): \(error)")
            }
        }
    }()
}
