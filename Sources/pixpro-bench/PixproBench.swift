import ArgumentParser
import MessagePassing
import TensorCore

@main
struct PixproBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pixpro-bench", abstract: "Times the parts of training, one line per figure.",
        subcommands: [
            StepBenchmark.self, KernelBenchmark.self, LoaderBenchmark.self, AllReduceBenchmark.self,
            StartBenchmark.self, DenseBenchmark.self, InpaintingBenchmark.self, NodeBenchmark.self,
        ])

    static func main() {
        StandardError.outliveReaders()
        MatrixLibrary.prepare()
        main(nil)
    }
}
