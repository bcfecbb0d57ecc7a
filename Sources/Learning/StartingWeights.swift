import Checkpointing
import Files
package import ImagePipeline
package import NeuralNetwork
package import SystemPackage
import TensorCore

/// Weights from a file that a network begins with: exports of this program, torchvision's files, published checkpoints of
/// PixPro, in safetensors or in either layout of PyTorch's.
package struct StartingWeights {
    private let file: any WeightsFile
    /// Names in the file by the names that they have here.
    private let names: [String: String]

    package init(path: FilePath) throws {
        guard try FileKind(of: path) != .directory else {
            throw FileError(path: path, reason: "is a folder; `pixpro export` makes a file of a run's weights")
        }
        file = try openWeights(path)
        let plain = file.tensors.map { Self.plain($0.name) }
        // A backbone of its own has no name in front of its layers, or one that says what it is.
        let isWhole = plain.contains { $0.hasPrefix(Self.encoder) }
        var names: [String: String] = [:]
        for (tensor, plain) in zip(file.tensors, plain) {
            let name = isWhole ? plain : Self.encoder + Self.withoutBackbone(plain)
            guard let other = names.updateValue(tensor.name, forKey: name) else { continue }
            throw FileError(path: path, reason: "has two tensors that could be one: '\(other)' and '\(tensor.name)'")
        }
        self.names = names
    }

    private static let encoder = "encoder."

    /// Without what programs put before the names of a network.
    private static func plain(_ name: String) -> String {
        var rest = name[...]
        while let outer = ["model.", "state_dict.", "module."].first(where: { rest.hasPrefix($0) }) {
            rest = rest.dropFirst(outer.count)
        }
        return String(rest)
    }

    private static func withoutBackbone(_ name: String) -> Substring {
        let outer = ["backbone.body.", "backbone."].first { name.hasPrefix($0) } ?? ""
        return name.dropFirst(outer.count)
    }

    /// What became of the file's tensors and of the network's.
    package struct Report: Sendable, Equatable {
        package let taken: [String]
        /// Tensors of the network that begin as they would without the file.
        package let missing: [String]
        /// Those of them that the file has in another shape, with both.
        package let misfits: [String]
        /// Names in the file, and what else it holds.
        package let left: [String]
        /// How pixels were scaled for these weights, where the file says so.
        package let pixels: PixelNormalization?
    }

    /// Fills a network: all of its encoder must be in the file, in the same shapes; of the rest what is there.
    ///
    /// Throws, with names and shapes, for the weights of another architecture, and for those that are not finite, before
    /// anything is written.
    package func fill(_ state: ModelState) throws -> Report {
        let entries = StateDictionary(state).entries
        let stored = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0) })
        let (encoder, rest) = (
            entries.filter { $0.name.hasPrefix(Self.encoder) }, entries.filter { !$0.name.hasPrefix(Self.encoder) }
        )
        func shape(_ entry: StateDictionary.Entry) -> [Int]? { names[entry.name].map { stored[$0]!.shape } }
        let absent = encoder.filter { shape($0) == nil }.map(\.name)
        let other = encoder.filter { shape($0) != nil && shape($0) != $0.shape }
            .map { "'\(names[$0.name]!)' is \(shape($0)!) there and \($0.shape) here" }
        guard absent.isEmpty, other.isEmpty else {
            let facts = [
                other.isEmpty ? nil : Self.listed(other),
                absent.isEmpty
                    ? nil : "\(absent.count) of \(encoder.count) tensors are not there: \(Self.listed(absent))",
            ]
            throw FileError(
                path: file.path,
                reason: "holds the weights of another architecture: "
                    + facts.compactMap { $0 }.joined(separator: "; ")
                    + "; set model.architecture to that of the file, or model.start to another one")
        }
        let taken = encoder + rest.filter { shape($0) == $0.shape }
        let tensors = try taken.map { try file.readTensor(names[$0.name]!) }
        if let wrong = tensors.firstIndex(where: { !$0.isFinite }) {
            throw FileError(
                path: file.path,
                reason: "'\(names[taken[wrong].name]!)' has numbers that are not finite, its training diverged: set "
                    + "model.start to another file")
        }
        for (entry, tensor) in zip(taken, tensors) { entry.write(tensor) }
        let unfit = rest.filter { shape($0) != nil && shape($0) != $0.shape }
        let used = Set((taken + unfit).map { names[$0.name]! })
        // Counts of batches are none of a network's weights.
        let left = file.tensors.map(\.name).filter { !used.contains($0) && !$0.hasSuffix("num_batches_tracked") }
        return Report(
            taken: taken.map(\.name), missing: rest.filter { shape($0) != $0.shape }.map(\.name),
            misfits: unfit.map { "'\($0.name)' is \(shape($0)!) there and \($0.shape) here" },
            left: left + file.skipped, pixels: PixelNormalization((file as? SafetensorsFile)?.metadata ?? [:]))
    }

    fileprivate static func listed(_ names: [String]) -> String {
        names.prefix(6).map { shownText($0) }.joined(separator: ", ")
            + (names.count > 6 ? " and \(names.count - 6) more" : "")
    }
}

extension StartingWeights.Report {
    /// How much of each part of the network was taken: "encoder 120 of 120, pyramid 12 of 18".
    private var parts: String {
        func part(_ name: String) -> String { String(name.prefix { $0 != "." }) }
        var order: [String] = [], counts: [String: (taken: Int, all: Int)] = [:]
        for (names, isTaken) in [(taken, 1), (missing, 0)] {
            for part in names.map(part) {
                if counts[part] == nil { order.append(part) }
                let (taken, all) = counts[part] ?? (0, 0)
                counts[part] = (taken + isTaken, all + 1)
            }
        }
        return order.map { "\($0) \(counts[$0]!.taken) of \(counts[$0]!.all)" }.joined(separator: ", ")
    }

    /// For the log.
    ///
    /// - Parameter pixels: how they are scaled now.
    package func lines(_ path: FilePath, _ pixels: PixelNormalization) -> [String] {
        var lines = ["begins with \(taken.count) tensors of \(path.shown): \(parts)"]
        if !misfits.isEmpty {
            lines.append(
                "of other shapes in it, and random: " + misfits.prefix(3).joined(separator: "; ")
                    + (misfits.count > 3 ? "; and \(misfits.count - 3) more" : ""))
        }
        if missing.count > misfits.count {
            let absent = missing.filter { name in !misfits.contains { $0.hasPrefix("'\(name)'") } }
            lines.append("not in it, and random: " + StartingWeights.listed(absent))
        }
        if !left.isEmpty { lines.append("left in it: " + StartingWeights.listed(left)) }
        if let before = self.pixels?.facts, before != pixels.facts {
            let (mean, deviation) = (before["mean"]!, before["std"]!)
            lines.append(
                "its weights are of pixels of the mean \(mean) and the deviation \(deviation), which here are "
                    + "\(pixels.facts["mean"]!) and \(pixels.facts["std"]!): set data.mean to [\(mean)] and data.deviation to "
                    + "[\(deviation)] to see as they did")
        }
        return lines
    }
}
