import Drawing
import Files
import Foundation
import SystemPackage

/// The pictures of a run for its report: each as it was seen first, halfway and last.
struct ReportPictures {
    private let run: RunRecord
    private let room: Int

    /// - Parameter room: bytes of the page that they may take.
    init(_ run: RunRecord, room: Int) { (self.run, self.room) = (run, room) }

    /// The last ones first: what does not fit any more is left out.
    var html: String {
        get throws {
            guard let last = run.pictures.last else { return "" }
            var left = room, shown: [FilePath: [(step: Int, data: String)]] = [:]
            for (step, files) in moments {
                for file in files {
                    let data = Data(try WholeFile.bytes(of: run.directory.pictures.pushing(file))).base64EncodedString()
                    // Some do not change.
                    if shown[name(file)]?.contains(where: { $0.data == data }) == true { continue }
                    left -= data.utf8.count + 200
                    guard left > 0 else { continue }
                    shown[name(file), default: []].append((step, data))
                }
            }
            let figures = last.files.map(name).compactMap { file in
                shown[file].map { figure(file, $0.sorted { $0.step < $1.step }) }
            }
            return "<h2>Pictures of \(run.name.escaped)</h2><div class=\"pictures\">\(figures.joined())</div>"
        }
    }

    /// The last step, the first, and the one between.
    private var moments: [(step: Int, files: [FilePath])] {
        let all = run.pictures
        return [all.count - 1, 0, all.count / 2].reduce(into: [Int]()) { if !$0.contains($1) { $0.append($1) } }
            .map { all[$0] }
    }

    /// Without its step.
    private func name(_ file: FilePath) -> FilePath {
        FilePath(root: nil, file.components.dropFirst())
    }

    private func figure(_ name: FilePath, _ moments: [(step: Int, data: String)]) -> String {
        let images = moments.map { step, data in
            "<div><p class=\"faint\">step \(step)</p><img alt=\"\(name.shown.escaped) at step \(step)\" "
                + "src=\"data:image/png;base64,\(data)\"></div>"
        }
        return "<figure class=\"card\"><figcaption>\(name.withoutEnding.shown.escaped)</figcaption>"
            + "<div class=\"steps\">\(images.joined())</div></figure>"
    }
}
