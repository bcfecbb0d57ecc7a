import Launching
import SystemPackage
import Testing

@Suite struct JobPlanTests {
    private func finding(_ name: String, slots: Int? = nil, sockets: Int) -> Preflight.Finding {
        var facts = HostFacts()
        facts.sockets = sockets
        return Preflight.Finding(host: ListedHost(name: name, slots: slots), facts: facts, lacks: [])
    }

    private func words(_ plan: JobPlan, _ dialect: JobStarter.Dialect = .four) -> [String] {
        plan.words(
            .init(
                hostFile: "/r/hosts", agent: "ssh", interface: "eth0", program: "/p", arguments: ["--config", "a b"],
                dialect: dialect))
    }

    /// Not as many as the launching host has.
    @Test func eachHostHasARankForEachOfItsSockets() {
        let plan = JobPlan(ready: [finding("a", sockets: 2), finding("b", sockets: 4)], perHost: nil) { $0 }
        #expect(plan.hostFile == "a slots=2\nb slots=4\n" && plan.ranks == 6 && plan.isBySocket)
        #expect(words(plan).starts(with: ["mpirun", "--hostfile", "/r/hosts", "-n", "6", "--map-by", "ppr:1:socket"]))
        #expect(words(plan).suffix(4) == ["/p", "train", "--config", "a b"])
    }

    /// Its own parameters are told to mpirun by other options from Open MPI 5 on.
    @Test func theLineIsInTheDialectOfMpirun() {
        let plan = JobPlan(ready: [finding("a", sockets: 2)], perHost: nil) { $0 }
        let four = words(plan).joined(separator: " "), five = words(plan, .five).joined(separator: " ")
        #expect(
            four.contains(
                " --map-by ppr:1:socket --bind-to socket --mca plm_rsh_agent ssh --mca btl_tcp_if_include eth0 "
                    + "--mca oob_tcp_if_include eth0 --mca oob_tcp_keepalive_time 2 "))
        #expect(
            five.contains(
                " --map-by ppr:1:package --bind-to package --prtemca plm_ssh_agent ssh --mca btl_tcp_if_include eth0 "
                    + "--prtemca prte_if_include eth0 --prtemca oob_tcp_keepalive_time 2 "))
    }

    @Test func aBatchThatCannotBeSharedTakesFewerRanksOfEveryHost() {
        let plan = JobPlan(ready: [finding("a", sockets: 2), finding("b", sockets: 4)], perHost: nil) { $0 - 2 }
        #expect(plan.ranks == 4 && plan.available == 6 && !plan.isBySocket)
        #expect(words(plan)[5...8] == ["--map-by", "node", "--bind-to", "none"])
    }

    @Test func theListAndTheCommandLineGoBeforeSockets() {
        let mixed = [finding("a", slots: 3, sockets: 2), finding("b", sockets: 2)]
        #expect(JobPlan(ready: mixed, perHost: nil) { $0 }.hostFile == "a slots=3\nb slots=2\n")
        #expect(!JobPlan(ready: mixed, perHost: nil) { $0 }.isBySocket)
        #expect(JobPlan(ready: mixed, perHost: 1) { $0 }.hostFile == "a slots=1\nb slots=1\n")
    }
}
