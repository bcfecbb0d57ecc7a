import ArgumentParser
import TensorCore

@main
struct PixproBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pixpro-bench", abstract: "Times the parts of training, one line per figure.",
        subcommands: [StepBenchmark.self, KernelBenchmark.self, AllReduceBenchmark.self])

    static func main() {
        MatrixLibrary.prepare()
        main(nil)
    }
}

/// The middle of a list of times.
func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? .nan : (sorted[sorted.count / 2] + sorted[(sorted.count - 1) / 2]) / 2
}

func seconds(_ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    let duration = try clock.measure(body)
    return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}
