import ArgumentParser
import Foundation
import MessagePassing
import TensorCore

/// Sums of the sizes that training sends: batch statistics, a gradient bucket, all gradients of a ResNet-50.
struct AllReduceBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "allreduce", abstract: "Times sums over all ranks; start it under mpirun.")

    @Option(help: "Repetitions; the median counts.") var repetitions = 7

    func run() throws {
        runOnAllRanks { runtime in
            let world = runtime.world
            for count in [1 << 10, 1 << 18, 4 << 20, 33_023_552] {
                let buffer = Tensor.zeros([count])
                try world.sum(buffer.floats)
                let time = median(try (0..<repetitions).map { _ in try seconds { try world.sum(buffer.floats) } })
                guard world.isRoot else { continue }
                let sent = Double(count * 4) * 2 * Double(world.size - 1) / Double(world.size)
                print(
                    String(
                        format: "allreduce %.3f MiB, %d ranks: %.3f ms, %.2f GB/s sent by each rank",
                        Double(count * 4) / Double(1 << 20), world.size, time * 1e3, sent / time / 1e9))
            }
        }
    }
}
