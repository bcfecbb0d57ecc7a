import Learning
import MessagePassing
import SystemPackage
import TensorCore
import Training

// A task that the program does not know, by the program's own machinery: `mpirun -n 2 task-check train IMAGES
// [KEY=VALUE…]`, `task-check evaluate RUN`, `task-check export RUN FILE`.

let words = Array(CommandLine.arguments.dropFirst())
precondition(words.count >= 2, "task-check train IMAGES …, or evaluate|export RUN …")

MatrixLibrary.prepare()
runOnAllRanks(program: "task-check") { runtime in
    switch words[0] {
    case "train":
        let loaded = try RunConfiguration.load(
            file: nil, roots: [words[1]], overrides: Array(words.dropFirst(2)),
            tasks: [PlayerSettings.self])
        let settings = loaded.configuration.settings(PlayerSettings.self)
        _ = try TrainingRun(loaded, of: settings, runtime: runtime).run()
    case "evaluate":
        let evaluation = try RunEvaluation(
            runDirectory: FilePath(words[1]), step: nil, configurationFile: nil, overrides: [],
            tasks: [PlayerSettings.self], runtime: runtime)
        let report = try evaluation.run()
        if runtime.world.isRoot { print(try report.json) }
    default:
        let weights = try WeightsExport(runDirectory: FilePath(words[1]), step: nil, communicator: runtime.world)
        let count = try weights.write(PlayerSettings().exportMaps[0], to: FilePath(words[2]))
        if runtime.world.isRoot { print("wrote \(count) tensors") }
    }
}
