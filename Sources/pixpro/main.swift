import MessagePassing
import Training
runOnAllRanks { runtime in
    let report = try Verification(path: CommandLine.arguments[1], communicator: runtime.world).run()
    if runtime.world.isRoot { print(report.text) }
}
