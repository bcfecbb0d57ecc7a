import ArgumentParser
import Glibc
import MessagePassing
import SystemPackage
import TensorCore
import Training

@main
struct Pixpro: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pixpro",
        abstract:
            "Pretrains vision backbones for detection and segmentation on a cluster of CPU nodes (PixPro over MPI).",
        discussion: """
            One node with two ranks:    mpirun -n 2 --bind-to none pixpro train --config configs/small-data.yaml ~/images
            What a machine offers:      mpirun -n 2 --bind-to none pixpro doctor
            A backbone for torchvision: pixpro export runs/pixpro --output backbone.safetensors
            """,
        version: "0.1.0",
        subcommands: [
            Train.self, Evaluate.self, Predict.self, Report.self, Export.self, Verify.self, Checkpoint.self,
            DataCommand.self,
            DoctorCommand.self, Replay.self,
            LaunchCommand.self, StudyCommand.self, PlanCommand.self, HostReportCommand.self,
        ])

    /// Parses, runs, and lets rank zero alone speak about a wrong command line.
    static func main() {
        StandardError.outliveReaders()
        let isTraining = CommandLine.arguments.dropFirst().first == "train"
        if isTraining { StopRequest.hold() }
        MatrixLibrary.prepare()
        if isTraining {
            StopRequest.install(
                speaker: ProcessStarter.ofThisProcess.rank == 0 ? "pixpro" : nil, status: stoppedExitStatus)
        }
        do {
            var command = try parseAsRoot(FilePath.argumentTexts)
            try command.run()
            writeOut()
        } catch {
            if exitCode(for: error) == .success { writeOut() }
            // The other ranks leave a little later: the launcher ends all once the first has left.
            if ProcessStarter.ofThisProcess.rank > 0 {
                sleep(2)
                Glibc.exit(exitCode(for: error).rawValue)
            }
            exit(withError: error)
        }
    }

    /// Writes what `print` has kept; a reader that has left is content, and the status is 0.
    private static func writeOut() {
        guard fflush(nil) != 0, errno != EPIPE else { return }
        _ = StandardError.write("pixpro: error: cannot write to standard output: \(String(cString: strerror(errno)))\n")
        Glibc.exit(1)
    }
}
