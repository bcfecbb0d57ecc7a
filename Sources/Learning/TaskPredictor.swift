package import NeuralNetwork
package import SystemPackage

/// What a trained task says of single pictures, for people to look at and for other programs to read.
package protocol TaskPredictor: AnyObject {
    /// The networks, to be filled from a checkpoint.
    var states: [ModelState] { get }

    /// Throws `ImageError` where the picture is none, or the network makes no numbers of it.
    func predict(_ picture: PredictedPicture) throws -> Prediction

    /// The file that has the records of all pictures, if there is one: `detections.json`.
    var recordsFile: String? { get }
    /// That file's text. Records stand in the order of their pictures, which are numbered from 1.
    func records(_ pictures: [(number: Int, name: String, records: [String])]) throws -> String
}

extension TaskPredictor {
    package var recordsFile: String? { nil }
    package func records(_ pictures: [(number: Int, name: String, records: [String])]) throws -> String { "" }
}

/// A picture that something is to be said of.
package struct PredictedPicture: Sendable {
    /// Its path below the folder that a user named.
    package let name: FilePath
    package let bytes: [UInt8]

    package init(name: FilePath, bytes: [UInt8]) { (self.name, self.bytes) = (name, bytes) }
}

/// What is said of one picture.
package struct Prediction: Sendable {
    /// Files beside each other, by what their names end in: `.labels.png`.
    package var files: [(ending: String, bytes: [UInt8])]
    /// Lines for the file of all pictures.
    package var records: [String]

    package init(files: [(ending: String, bytes: [UInt8])], records: [String] = []) {
        (self.files, self.records) = (files, records)
    }
}

/// What a user asks a prediction for beside its pictures.
package struct PredictionOptions: Sendable {
    /// A place in each picture, as shares of its width and height, that others are compared with.
    package var mark: (x: Double, y: Double) = (0.5, 0.5)
    /// A folder of masks of the pictures, or one for all.
    package var masks: FilePath?

    package init() {}
}
