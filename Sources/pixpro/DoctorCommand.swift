import ArgumentParser
import Launching
import MessagePassing
import Training

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Prints MPI, matrix library, cores, binding and threads, and what is wrong with them.",
        discussion: "Start it as you would start training: mpirun -n 8 --hostfile hosts pixpro doctor")

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        // Before MPI: a program is not to be started while it runs.
        let mpirun = ProcessStarter.ofThisProcess.kind == .none ? try wait(for: JobStarter.found) : nil
        var isHealthy = true
        runOnAllRanks { runtime in
            let loaded = try options.load(runtime.world)
            let report = try DoctorReport(runtime, loaded.configuration, mpirun: mpirun)
            isHealthy = report.isHealthy
            if runtime.world.isRoot { print(report.text) }
        }
        if !isHealthy { throw ExitCode(1) }
    }
}
