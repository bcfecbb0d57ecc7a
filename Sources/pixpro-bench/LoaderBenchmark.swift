import ArgumentParser
import Foundation
import ImagePipeline
import SystemPackage
import Training

/// Decoding, and decoding with both views, on one core without threads: what the peer's `loader_speed.py` times.
struct LoaderBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loader", abstract: "Times decoding and the two views of each picture, on one core.")

    @Argument(help: "Folders of JPEGs, PNGs, TIFFs or tar shards.") var images: [String]
    @Option(help: "Side of the views in pixels.", transform: viewSide) var imageSize = 224
    @Option(help: "At most so many pictures, the first by name.", transform: wholeNumber(in: 1...1_000_000))
    var limit = 400
    @Option(help: "Repetitions; the median counts.", transform: repetitionCount) var repetitions = 3
    @OptionGroup var output: OutputOptions

    func run() throws {
        let index = try ImageIndex(roots: images.map { FilePath($0) })
        let files = try (0..<min(limit, index.count)).map { try index.bytes(of: $0) }
        let views = PictureViews(TwoViewTransform(imageSize: imageSize, minimumCrop: 0.08, seed: 0))
        try report("decode", files) { bytes, _ in _ = try ImageDecoder.decode(bytes) }
        try report("views", files) { bytes, sample in try views.load(bytes, epoch: 0, sample: sample) }
    }

    private func report(_ name: String, _ files: [[UInt8]], _ body: ([UInt8], Int) throws -> Void) throws {
        var times: [Double] = [], processor: [Double] = []
        for _ in 0..<repetitions {
            let before = processorSeconds()
            times.append(try seconds { for (sample, bytes) in files.enumerated() { try body(bytes, sample) } })
            processor.append(processorSeconds() - before)
        }
        let time = median(times), count = Double(files.count)
        output.print(
            Figure(
                name: "loader \(name)", settings: ["images": .number(files.count), "size": .number(imageSize)],
                values: [
                    "images/s": count / time, "ms/image": time / count * 1e3,
                    "processor ms/image": median(processor) / count * 1e3,
                ]))
    }
}
