import DataParallel
import Files
import ImagePipeline
import Learning
import MessagePassing
import Settings
import SystemPackage
import TensorCore
import Threads

/// What must stand before a run's first step, whatever it trains: checks, plans, pictures, lock.
struct RunSetup<Pictures: TrainingPictures> {
    /// When this program began with it, in seconds since 1970.
    let began: Double
    let directory: RunDirectory
    let checks: StartChecks
    let host: HostLayout
    /// As the configuration alone has it; where that is impossible, as the run had it.
    let batch: BatchPlan
    let cores: CorePlan
    /// Of this rank.
    let threads: CorePlan.Threads
    let pictures: Pictures
    /// Seconds that it took to find them.
    let secondsForPictures: Double
    let compared: ComparedPictures
    /// What rank zero holds; nil on others.
    let lock: RunLock?

    /// Collective; throws the same error on all ranks.
    ///
    /// - Parameter find: finds the pictures that the task is trained on.
    init(
        _ configuration: RunConfiguration, _ runtime: MPIRuntime, find: (PictureRoots) throws -> Pictures
    ) throws {
        let world = runtime.world, directory = RunDirectory(configuration.run.directory)
        (began, self.directory) = (SystemClock().wall, directory)
        runtime.watchdog.configure(configuration.watchdog.limits, reports: directory.watchdog)
        runtime.watchdog.begin(.start)
        let checks = try StartChecks(runtime)
        self.checks = checks
        try checks.verifyProgram()
        try checks.verifyConfiguration(configuration)
        if configuration.parallel.checkCollectives { try world.checkOrder() }
        let host = try HostLayout(runtime)
        self.host = host
        // A run that goes on keeps its micro-batches, also where the configuration alone would cut too finely for its ranks.
        let kept = try world.agree(on: "reading how the run was cut") {
            world.isRoot ? try configuration.microBatchesKept() : nil
        }
        let microBatches = try world.broadcast([kept ?? 0])[0]
        batch = try world.agree(on: "planning the batch") {
            func plan(_ microBatches: Int?) throws -> BatchPlan {
                try BatchPlan(
                    configuration: configuration, ranks: world.size, microBatches: microBatches,
                    memoryPerRank: host.memoryPerRank)
            }
            do { return try plan(nil) } catch let error as ConfigurationError {
                guard microBatches > 0 else { throw error }
                return try plan(microBatches)
            }
        }
        cores = try world.agree(on: "planning threads") {
            try CorePlan(masks: host.masks, ranksInJob: world.size, configuration: configuration)
        }
        let threads = cores.ranks[host.rank]
        self.threads = threads
        try world.agree(on: "starting threads") { try ComputeThreads.start(threads: threads.compute) }
        let beforePictures = SystemClock().monotonic
        pictures = try find(DataSource.roots(of: configuration, excluding: directory.path, runtime))
        secondsForPictures = SystemClock().monotonic - beforePictures
        compared = ComparedPictures(
            fingerprint: pictures.index.fingerprint, hosts: Set(checks.hosts).sorted())
        try checks.verifyPictures(pictures.index, compared, directory)
        try Self.check(pictures.index, batch, configuration)
        lock = try world.agree(on: "preparing \(directory.path.shown)") {
            guard world.isRoot else { return nil }
            try directory.create()
            return try RunLock(directory: directory.path, host: runtime.hostName)
        }
        try checks.verifySight(of: directory, lock)
    }

    private static func check(_ index: ImageIndex, _ batch: BatchPlan, _ configuration: RunConfiguration) throws {
        guard index.count < batch.global else { return }
        let remedy =
            configuration.batch.perRank.map { "lower batch.perRank (\($0)), or start fewer ranks" }
            ?? "or lower batch.global"
        throw TrainingError(
            "\(index.count) images are fewer than one batch of \(batch.global) on \(batch.ranks) ranks: add images, "
                + remedy)
    }
}
