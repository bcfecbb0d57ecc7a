import ArgumentParser
import MessagePassing
import Training

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Prints MPI, matrix library, cores, binding and threads, and what is wrong with them.",
        discussion: "Start it as you would start training: mpirun -n 8 --hostfile hosts pixpro doctor")

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        var isHealthy = true
        runOnAllRanks { runtime in
            let loaded = try options.load(runtime.world)
            let report = try DoctorReport(runtime, loaded.configuration)
            isHealthy = report.isHealthy
            if runtime.world.isRoot { print(report.text) }
        }
        if !isHealthy { throw ExitCode(1) }
    }
}
