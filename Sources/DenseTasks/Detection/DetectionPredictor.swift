import Drawing
import Foundation
import ImagePipeline
package import Learning
package import NeuralNetwork

/// What a detector finds in a picture: boxes with classes drawn on it, and COCO's results.
package final class DetectionPredictor: TaskPredictor {
    private let detection: PictureDetection
    private let categories: [AnnotatedCategory]

    /// Less sure objects are in the results and not in the pictures.
    private static let drawnScore = 0.3

    package init(_ settings: DetectionSettings, categories: [AnnotatedCategory]) {
        var model = settings.model
        model.classes = categories.count
        detection = PictureDetection(Detector(model, seed: nil), settings)
        self.categories = categories
    }

    package var states: [ModelState] { [detection.detector.state] }

    package func predict(_ predicted: PredictedPicture) throws -> Prediction {
        let bytes = predicted.bytes
        let picture = try ImageDecoder.decode(bytes), (width, height) = (picture.width, picture.height)
        let objects = try detection.objects(
            try detection.load(bytes, height: height, width: width), height: height, width: width)
        var canvas = Canvas(width: width, height: height, pixels: picture.pixels)
        // The surest last, on top.
        for object in objects.reversed() where object.score >= Self.drawnScore { draw(object, on: &canvas) }
        return Prediction(
            files: [try canvas.preview(".boxes")],
            records: objects.map(record))
    }

    private func draw(_ object: FoundObject, on canvas: inout Canvas) {
        let color = Color.series[object.category % Color.series.count], box = object.box
        let corners = [
            (box.x, box.y), (box.right, box.y), (box.right, box.bottom), (box.x, box.bottom), (box.x, box.y),
        ]
        canvas.polyline(corners.map { Point($0, $1) }, color, thickness: 3)
        let text = "\(categories[object.category].name) \(Int((100 * object.score).rounded()))%"
        let left = Int(box.x), top = max(Int(box.y), 0), textHeight = Canvas.textHeight()
        canvas.fill(color, x: left..<left + Canvas.textWidth(text) + 6, y: top..<top + textHeight + 6)
        canvas.text(text, x: left + 3, y: top + 3, .white)
    }

    // MARK: COCO's results

    package var recordsFile: String? { "detections.json" }

    private func record(_ object: FoundObject) -> String {
        let box = object.box
        let sides = [box.x, box.y, box.width, box.height].map { String(format: "%.2f", $0) }.joined(separator: ", ")
        return "\"category_id\": \(categories[object.category].id), \"bbox\": [\(sides)], "
            + "\"score\": \(String(format: "%.6f", object.score))"
    }

    /// Pictures have their places in the list as ids, and their names beside.
    package func records(_ pictures: [(number: Int, name: String, records: [String])]) throws -> String {
        let lines = try pictures.flatMap { picture in
            let name = String(decoding: try JSONEncoder().encode(picture.name), as: UTF8.self)
            return picture.records.map {
                "{\"image_id\": \(picture.number), \"file_name\": \(name), \($0)}"
            }
        }
        return "[\n" + lines.joined(separator: ",\n") + "\n]\n"
    }
}

/// Categories as the facts of a checkpoint have them.
extension [AnnotatedCategory] {
    private struct Entry: Codable {
        let id: Int
        let name: String
    }

    /// What a checkpoint says of them.
    var facts: [String: String] { ["categories": json] }

    /// Throws where facts do not say them.
    init(facts: [String: String]) throws {
        guard let json = facts["categories"] else {
            throw AnnotationError("the checkpoint does not say what it was trained to find")
        }
        try self.init(json: json)
    }

    /// `[{"id":7,"name":"raccoon"}]`.
    private var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(map { Entry(id: $0.id, name: $0.name) }), as: UTF8.self)
        } catch {
            preconditionFailure("names that JSON cannot hold: \(error)")
        }
    }

    /// Throws for what `json` does not write.
    private init(json: String) throws {
        do {
            self = try JSONDecoder().decode([Entry].self, from: Data(json.utf8)).map {
                AnnotatedCategory(id: $0.id, name: $0.name)
            }
        } catch {
            throw AnnotationError("the categories in the checkpoint are damaged: \(error)")
        }
    }
}
