import Checkpointing
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Runs that begin with weights of a file.
@Suite(.serialized) struct StartTests {
    /// - Parameter prefix: in front of all names in the file.
    @Test(arguments: [("pixpro", ""), ("torchvision", ""), ("openmmlab", "state_dict.")])
    func aRunBeginsWithAnExportBitForBit(_ format: String, _ prefix: String) throws {
        try SmallRun.withTrained { trained in
            let weights = trained.directory + "/weights"
            let export = try MPILauncher.run(
                "pixpro", ranks: 1, ["export", trained.run, "-o", weights, "--format", format])
            #expect(export.status == 0, "\(export)")
            let run = SmallRun(directory: trained.directory + "/next")
            // Steps too small to change a weight: what is saved is what the run began with.
            let settings = [
                "model.start=\(weights)", "run.seed=2", "schedule.steps=1", "optimizer.baseLearningRate=1.0e-30",
                "optimizer.weightDecay=0",
            ]
            let result = try run.train(ranks: 2, settings)
            #expect(
                result.status == 0 && result.errorOutput.contains("begins with 100 tensors of \(weights)"), "\(result)")
            #expect(result.errorOutput.contains("not in it, and random: projector."), "\(result)")
            let exported = try openWeights(FilePath(weights))
            var compared = 0
            for shard in ["00001-of-00002", "00002-of-00002"] {
                let saved = try SafetensorsFile(
                    path: FilePath("\(run.run)/checkpoints/step-00000001/shard-\(shard).safetensors"))
                for tensor in saved.tensors.map(\.name) where tensor.hasPrefix("encoder.") {
                    let name = String(tensor.dropFirst("encoder.".count))
                    // Statistics move with each step, whatever its size.
                    guard !name.contains("running_"), !name.contains("num_batches") else { continue }
                    let (a, b) = (try saved.readTensor(tensor).array, try exported.readTensor(prefix + name).array)
                    #expect(zip(a, b).allSatisfy { $0 == $1 || abs($1) < 1e-20 && abs($0) < 1e-20 }, "\(name)")
                    compared += 1
                }
            }
            #expect(compared == 60)
        }
    }

    @Test func weightsOfAnotherArchitectureAndProgramsEndTheRunOnAllRanks() throws {
        let folder = SmallRun.project + "/Tests/References/Weights/"
        for (name, words) in [
            ("published.pth", "another architecture"), ("program.pth", "is a program: it calls posix.system"),
            ("nothing.pth", "No such file"),
        ] {
            try SmallRun.with { run in
                let result = try run.train(ranks: 2, ["model.start=\(folder)\(name)", "schedule.steps=1"])
                #expect(result.status == 78 && result.errorOutput.contains(words), "\(result)")
            }
        }
    }
}
