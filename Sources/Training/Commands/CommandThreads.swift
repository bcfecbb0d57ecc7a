package import MessagePassing
import Settings
import TensorCore

/// Starts the compute threads of a command that reads no configuration: as training plans them where no thread loads
/// and none communicates, all of this rank's part of its host's cores.
///
/// - Parameter threads: as many instead, more than cores if it must be.
///
/// Collective.
package func startComputeThreads(_ threads: Int? = nil, on runtime: MPIRuntime) throws {
    var configuration = RunConfiguration(task: NoTask())
    configuration.data.workers = .count(0)
    configuration.parallel.communication = .inline
    configuration.parallel.oversubscribe = true
    if let threads { configuration.parallel.threads = .count(threads) }
    try StartChecks(runtime).verifyProgram()
    let host = try HostLayout(runtime)
    let plan = try CorePlan(masks: host.masks, ranksInJob: runtime.world.size, configuration: configuration)
    try runtime.world.agree(on: "starting threads") {
        try ComputeThreads.start(threads: plan.ranks[host.rank].compute)
    }
}

/// Of commands that train nothing.
private struct NoTask: TaskSettings {
    static let name = "none"
    static let schema = Schema<NoTask>(sections: [], settings: [])
    let parameterCount = 0
    let activationBytesPerImage = 1
}
