import Settings
import Testing
import Training

private func plan(
    _ masks: [CoreMask], ranksInJob: Int? = nil, _ overrides: [String] = []
) throws -> CorePlan {
    let configuration = try RunConfiguration.parse(yaml: "", name: "", overrides: overrides).configuration
    return try CorePlan(masks: masks, ranksInJob: ranksInJob ?? masks.count, configuration: configuration)
}

private func shared(_ cores: Int, ranks: Int, quota: Double? = nil) -> [CoreMask] {
    Array(repeating: CoreMask(cores: Array(0..<cores), quota: quota), count: ranks)
}

@Suite struct CorePlanTests {
    @Test func oneCorePerRankRunsEverythingInline() throws {
        let plan = try plan(shared(2, ranks: 2))
        #expect(plan.shares == [1, 1])
        #expect(plan.ranks == Array(repeating: .init(compute: 1, loader: 0, communication: 0), count: 2))
    }

    @Test func manyCoresGetLoadersAndACommunicationThread() throws {
        #expect(try plan(shared(32, ranks: 4)).ranks[3] == .init(compute: 6, loader: 1, communication: 1))
        #expect(try plan(shared(32, ranks: 1)).ranks[0] == .init(compute: 28, loader: 4, communication: 0))
        #expect(try plan(shared(4, ranks: 1), ranksInJob: 8).ranks[0] == .init(compute: 4, loader: 0, communication: 0))
        let bound = [CoreMask(cores: [0, 1, 2]), CoreMask(cores: [3])]
        #expect(try plan(bound).shares == [3, 1])
        #expect(try plan(shared(8, ranks: 3)).shares == [2, 2, 2])
        #expect(try plan(shared(3, ranks: 3)).shares == [1, 1, 1])
    }

    @Test func threadsNeverExceedCores() throws {
        for cores in 1...70 {
            for ranks in 1...cores {
                let plan = try plan(shared(cores, ranks: ranks))
                #expect(plan.ranks.reduce(0) { $0 + $1.total } <= cores)
                #expect(plan.ranks.allSatisfy { $0.compute >= 1 })
            }
        }
    }

    @Test func theContainersLimitCounts() throws {
        #expect(try plan(shared(64, ranks: 2, quota: 4)).shares == [2, 2])
        #expect(try plan(shared(64, ranks: 1, quota: 1.5)).shares == [1])
        #expect(try plan(shared(2, ranks: 1, quota: 8)).shares == [2])
        // Half a core is enough for one rank, not for two.
        #expect(try plan(shared(2, ranks: 1, quota: 0.5)).ranks == [.init(compute: 1, loader: 0, communication: 0)])
        let two = #expect(throws: ConfigurationError.self) { try plan(shared(2, ranks: 2, quota: 0.5)) }
        #expect(two?.description.contains("start at most 1 rank on this host") == true)
        // Ranks in groups of their own have a quota each.
        let apart = ["a", "b", "b"].map { CoreMask(cores: Array(0..<6), quota: 2, group: $0) }
        #expect(try plan(apart).shares == [2, 1, 1])
    }

    @Test func requestsAreFollowed() throws {
        let overrides = ["parallel.threads=2", "data.workers=1", "parallel.communication=overlapped"]
        #expect(try plan(shared(8, ranks: 2), overrides).ranks[0] == .init(compute: 2, loader: 1, communication: 1))
        #expect(try plan(shared(8, ranks: 1), overrides).ranks[0].communication == 0)
        #expect(try plan(shared(4, ranks: 1), ["data.workers=3"]).ranks[0].compute == 1)
    }

    @Test func oversubscriptionIsRefusedUnlessAskedFor() throws {
        let tooMany = #expect(throws: ConfigurationError.self) { try plan(shared(2, ranks: 4)) }
        let text = tooMany?.description ?? ""
        #expect(text.contains("4 ranks on this host want 4 threads, 2 cores are given"), "\(text)")
        #expect(text.contains("start at most 2 ranks") && text.contains("parallel.oversubscribe"), "\(text)")
        let threads = #expect(throws: ConfigurationError.self) {
            try plan(shared(2, ranks: 2), ["parallel.threads=2", "data.workers=1"])
        }
        #expect(threads?.description.contains("set parallel.threads: auto; or set data.workers: 0;") == true)
        let allowed = try plan(shared(2, ranks: 4), ["parallel.oversubscribe=true"])
        #expect(allowed.isOversubscribed)
        #expect(allowed.ranks == Array(repeating: .init(compute: 1, loader: 0, communication: 0), count: 4))
        #expect(allowed.summary.contains("more threads than cores"))
    }

    @Test func theSummaryIsATable() throws {
        #expect(
            try plan(shared(32, ranks: 4)).summary == """
                threads                 cores        compute         loader  communication          total
                ranks 0-3 each              8              6              1              1              8
                host                       32             24              4              4             32
                """)
    }

    @Test func thisProcessHasCores() {
        let mask = CoreMask.ofThisProcess()
        #expect(!mask.cores.isEmpty)
        #expect(mask.cores == mask.cores.sorted())
    }

    @Test func ranksThatAreBoundToAFractionAreWarnedOf() throws {
        let all = Array(0..<64), two = ["a", "a"]
        let bound = CoreMask.bindingWarning(hosts: two, cores: [[0], [1]], starters: [all, all])
        #expect(bound?.contains("2 ranks of a are bound to 2 of 64 cores") == true)
        #expect(CoreMask.bindingWarning(hosts: two, cores: [all, all], starters: [all, all]) == nil)
        let sockets = [Array(0..<32), Array(32..<64)]
        #expect(CoreMask.bindingWarning(hosts: two, cores: sockets, starters: [all, all]) == nil)
        // Each host has its own; a starter that cannot be seen says nothing.
        let second = CoreMask.bindingWarning(hosts: ["a", "b"], cores: [all, [3]], starters: [all, all])
        #expect(second?.contains("1 rank of b is bound to 1 of 64 cores") == true)
        #expect(CoreMask.bindingWarning(hosts: two, cores: [[0], [1]], starters: [[], []]) == nil)
    }
}
