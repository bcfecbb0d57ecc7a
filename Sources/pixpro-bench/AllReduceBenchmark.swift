import ArgumentParser
import CMPI
import MessagePassing
import TensorCore

/// Sums as training sends gradients, of sizes up to a bucket and all gradients of a ResNet-50; each beside MPI_Allreduce
/// between buffers of its own.
struct AllReduceBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "allreduce", abstract: "Times sums over all ranks; start it under mpirun.")

    @Option(help: "Repetitions; the median counts.", transform: repetitionCount) var repetitions = 7
    @OptionGroup var output: OutputOptions

    func run() throws {
        runOnAllRanks(program: "pixpro-bench") { runtime in
            runtime.watchdog.begin(.other)
            let world = runtime.world
            for count in [1 << 10, 1 << 18, 4 << 20, 33_023_552] {
                let buffer = Tensor.zeros([count]), result = Tensor.zeros([count])
                var ours: [Double] = [], bare: [Double] = []
                for _ in 0...repetitions {
                    try world.barrier("timing")
                    ours.append(try seconds { try world.beginSum(buffer.floats).finish() })
                    try world.barrier("timing")
                    bare.append(seconds { bareSum(buffer, into: result) })
                }
                guard world.isRoot else { continue }
                // The first of each touches memory and connects.
                let time = median(Array(ours.dropFirst())), bareTime = median(Array(bare.dropFirst()))
                let sent = Double(count * 4) * 2 * Double(world.size - 1) / Double(world.size)
                output.print(
                    Figure(
                        name: "allreduce", settings: ["KiB": .number(count * 4 / 1024), "ranks": .number(world.size)],
                        values: [
                            "ms": time * 1e3, "ms bare": bareTime * 1e3, "of bare time": time / bareTime,
                            "GB/s sent by each rank": sent / time / 1e9,
                        ]))
            }
        }
    }

    /// Any error of this call would have been one of the sum before it.
    private func bareSum(_ buffer: Tensor, into result: Tensor) {
        let code = MPI_Allreduce(
            buffer.pointer, result.pointer, Int32(buffer.count), cmpi_float(), cmpi_sum(), cmpi_comm_world())
        precondition(code == cmpi_success, "MPI_Allreduce failed with \(code)")
    }
}
