import Files
import Foundation
package import Learning
import SystemPackage
import Training

/// What is known of a run of a study that is done: a file of its own, so that a study goes on where it was.
package struct StudyResult: Codable, Sendable, Equatable {
    /// The job's name.
    package var run: String
    /// Seconds in which it was trained, without what was lost and trained anew.
    package var seconds: Double
    /// Of its last checkpoint; none of a pretraining.
    package var scores: [Score]
    /// The configuration that it was trained by.
    package var configuration: String

    package init(run: String, seconds: Double, scores: [Score], configuration: String) {
        (self.run, self.seconds, self.scores, self.configuration) = (run, seconds, scores, configuration)
    }

    /// Nil where there is no file.
    init?(_ path: FilePath) throws {
        guard try FileKind(of: path) == .regular else { return nil }
        do {
            self = try JSONDecoder().decode(StudyResult.self, from: Foundation.Data(WholeFile.bytes(of: path)))
        } catch let error as DecodingError {
            throw LaunchError(.configuration, "\(path.shown) is damaged (\(error)): remove it to train that run anew")
        }
    }

    func write(to path: FilePath) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try WholeFile.write(Array(try encoder.encode(self)), to: path)
    }

    /// Seconds between the first and the last record of each start in a run's metrics, added up.
    static func seconds(of records: [MetricRecord]) -> Double {
        var total = 0.0, last: Double?
        for record in records {
            if record.kind != .start, let last { total += max(0, record.time - last) }
            last = record.time
        }
        return total
    }
}
