import Checkpointing
import Files
import Glibc
import ImagePipeline
package import MessagePassing
import SystemPackage
import Threads

/// What must be the same on every host before a run, or a command on several ranks, begins.
package struct StartChecks {
    private let communicator: any Collective
    /// By rank.
    let hosts: [String]

    /// Collective.
    package init(_ runtime: MPIRuntime) throws {
        communicator = runtime.world
        hosts = try communicator.allGather(runtime.hostName)
    }

    /// Refuses different builds of the program, naming the hosts. Collective.
    package func verifyProgram() throws {
        let checksum = try communicator.agree(on: "reading the program") {
            try CRC32C(of: InputFile(path: "/proc/self/exe")).text
        }
        let all = try communicator.allGather(checksum)
        guard let odd = Self.oddHosts(all, hosts) else { return }
        throw TrainingError(
            "the program is not the same on all hosts: \(odd); copy one build of pixpro to every host, or start it from "
                + "a shared folder")
    }

    /// Refuses different configurations, naming a key that differs and the hosts. Collective.
    package func verifyConfiguration(_ configuration: RunConfiguration) throws {
        let all = try communicator.allGather(configuration.yaml())
        guard let other = all.indices.first(where: { all[$0] != all[0] }) else { return }
        let first = try RunConfiguration.parse(yaml: all[0], name: hosts[0], tasks: [type(of: configuration.task)])
            .configuration
        let second = try RunConfiguration.parse(
            yaml: all[other], name: hosts[other], tasks: [type(of: configuration.task)]
        ).configuration
        let difference = second.differences(from: first).first.map {
            "\($0.key) is \($0.before) on \(hosts[0]) (rank 0) "
                + "and \($0.after) on \(hosts[other]) (rank \(other))"
        }
        throw TrainingError(
            "the configuration is not the same on all hosts: \(difference ?? "\(hosts[0]) and \(hosts[other]) differ"); "
                + "give every rank the same --config file and --set values")
    }

    /// Refuses a folder of pictures whose files differ between hosts, naming the first difference. Compares the sizes
    /// of at most 100,000 files and the bytes of 32, evenly spread; where an earlier start of the run has compared them on
    /// these hosts, of at most 1,000. Collective.
    func verifyPictures(_ index: ImageIndex, _ compared: ComparedPictures, _ directory: RunDirectory) throws {
        guard Set(hosts).count > 1 else { return }
        let action = "comparing the pictures between hosts"
        let areKnown = try communicator.agree(on: action) {
            communicator.isRoot ? compared.areKnown(from: try RunEvent.read(directory.history)) : false
        }
        let isBrief = try communicator.broadcast([areKnown ? 1 : 0])[0] == 1
        let sized = index.spread(limit: isBrief ? 1000 : 100_000), read = index.spread(limit: 32)
        let expectedSizes = try communicator.broadcast(
            communicator.agree(on: action) { communicator.isRoot ? try sized.map(index.fileSize) : [] })
        let expectedSums = try communicator.broadcast(
            communicator.agree(on: action) {
                communicator.isRoot ? try read.map { CRC32C.of(try index.bytes(of: $0)).value } : []
            })
        try communicator.agree(on: action) {
            // The first rank of each host speaks for it.
            let host = hosts[communicator.rank]
            guard host != hosts[0], hosts.firstIndex(of: host) == communicator.rank else { return }
            func refuse(_ picture: Int, _ what: String) -> TrainingError {
                TrainingError(
                    "\(index.description(of: picture)) \(what) on \(host) than on \(hosts[0]) (rank 0): copy the data "
                        + "anew, or use one shared folder")
            }
            for (picture, size) in zip(sized, expectedSizes) {
                let found = try index.fileSize(of: picture)
                if found != size { throw refuse(picture, "has another size (\(found) bytes, not \(size))") }
            }
            for (picture, sum) in zip(read, expectedSums) where CRC32C.of(try index.bytes(of: picture)).value != sum {
                throw refuse(picture, "has other contents")
            }
        }
    }

    /// Refuses a run directory that hosts do not share: every rank looks for the lock of rank zero. Collective.
    ///
    /// - Parameter lock: of rank zero; nil on others.
    func verifySight(of directory: RunDirectory, _ lock: RunLock?) throws {
        let owner = try communicator.broadcast(lock?.owner ?? "")
        guard Set(hosts).count > 1 else { return }
        try communicator.agree(on: "looking for rank 0's lock in \(directory.path.shown)") {
            let end = ContinuousClock.now + .seconds(CheckpointReader.visibilityLimit)
            var failure: (any Error)?
            func isSeen() -> Bool {
                do {
                    failure = nil
                    return try RunLock.name(in: directory.path) == owner
                } catch {
                    failure = error
                    return false
                }
            }
            while !isSeen() {
                guard ContinuousClock.now < end else {
                    // Seen or not: it cannot be told, or not be written to.
                    if let failure { throw failure }
                    throw TrainingError(
                        "\(directory.path.shown) on \(hosts[communicator.rank]) is not the directory of rank 0 "
                            + "(\(hosts[0])): run.directory must be on a file system that all hosts share, mounted at the "
                            + "same place")
                }
                usleep(200_000)
                FileSystem.lookAnew(at: directory.path)
            }
        }
    }

    /// Hosts whose clocks are far from rank zero's, as warnings: nothing depends on them, but logs mislead. Collective.
    func clockWarnings() throws -> [String] {
        try communicator.barrier("comparing clocks")
        let times = try communicator.allGather([SystemClock().wall]).map { $0[0] }
        return Self.clockWarnings(times, hosts)
    }

    package static func clockWarnings(_ times: [Double], _ hosts: [String], tolerance: Double = 5) -> [String] {
        var named: Set<String> = []
        return times.indices.compactMap { rank in
            let difference = times[rank] - times[0]
            guard abs(difference) > tolerance, named.insert(hosts[rank]).inserted else { return nil }
            return "the clock of \(hosts[rank]) is \(Int(abs(difference).rounded())) s "
                + "\(difference > 0 ? "ahead of" : "behind") that of \(hosts[0]): training does not depend on it, but "
                + "times in logs and files of different hosts cannot be compared; set the clocks (NTP)"
        }
    }

    /// The hosts outside the majority with their values; nil when all values are equal.
    package static func oddHosts(_ values: [String], _ hosts: [String]) -> String? {
        guard values.contains(where: { $0 != values[0] }) else { return nil }
        let counts = Dictionary(grouping: values, by: { $0 }).mapValues(\.count)
        let common = values.first { counts[$0] == counts.values.max() }!
        let odd = values.indices.filter { values[$0] != common }
        var seen: Set<String> = []
        let names = odd.filter { seen.insert(hosts[$0]).inserted }.prefix(16).map { "\(hosts[$0]) (\(values[$0]))" }
        return "\(names.joined(separator: ", ")) \(seen.count == 1 ? "differs" : "differ") from the rest (\(common))"
    }
}
