import ArgumentParser
import Learning
import MessagePassing
import PixelLearning
import SystemPackage
import Training

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs a reference's steps in float32 and compares every loss, feature, gradient and weight.",
        discussion: """
            All steps run with products summed in double precision, so that nothing but the method is compared; the \
            first runs with this machine's training kernels as well. The reference holds inputs, weights and what double \
            precision makes of them. An error may be four times the drift of the reference's own float32 run; past that \
            the exit status is 1. Where only gradients and what they move are, up to eight roundings of the same steps are \
            tried, since a rectifier's input may be so near zero that its last bit decides. Under mpirun the ranks share the images, which proves the cluster's collectives too. A \
            rank computes with as many threads as train would give it.
            """)

    @Option(help: "The reference, a safetensors file.")
    var reference: FilePath

    @Option(
        help: "Compute threads of each rank; its part of the cores if left out.", transform: wholeNumber(in: 1...1024))
    var threads: Int?

    func run() throws {
        var passed = false
        runOnAllRanks { runtime in
            runtime.watchdog.begin(.other)
            try startComputeThreads(threads, on: runtime)
            let report = try verify(reference, subjects: verifiedTasks, communicator: runtime.world)
            passed = report.passed
            if runtime.world.isRoot { print(report.text) }
        }
        if !passed { throw ExitCode(1) }
    }
}
