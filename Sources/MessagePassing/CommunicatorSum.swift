import CMPI

extension Communicator {
    /// Along a tree, as Open MPI does it in place: its few rounds suit small messages.
    package func beginSum(_ values: UnsafeMutableBufferPointer<Double>) throws -> any BegunSum {
        let sum = CommunicatorSum(of: self, count: values.count)
        guard size > 1, let base = values.baseAddress else { return sum }
        precondition(values.count <= elementsPerCall, "a sum of \(values.count) elements is begun in one call")
        try checkOrder(of: CommunicatorSum.function, count: values.count)
        try sum.begin(base)
        return sum
    }
}

/// MPI's sum over ranks that is on its way.
private final class CommunicatorSum: BegunSum {
    static let function: StaticString = "MPI_Iallreduce"
    private let communicator: Communicator
    private let count: Int
    private var started = cmpi_started()
    private var isUnderWay = false

    init(of communicator: Communicator, count: Int) { (self.communicator, self.count) = (communicator, count) }

    func begin(_ base: UnsafeMutablePointer<Double>) throws {
        started = cmpi_start_sum(base, Int32(count), communicator.handle)
        try communicator.check(started.code, Self.function)
        isUnderWay = true
    }

    func advance() {
        guard isUnderWay, started.code == Int32(cmpi_success) else { return }
        var isDone: Int32 = 0
        // What fails is told where the sum is finished.
        started.code = cmpi_advance(&started, &isDone)
    }

    /// A rank that computes while a sum is on its way waits for nobody: reports name the call from here on.
    func finish() throws {
        guard isUnderWay else { return }
        try communicator.logged(Self.function, count: count) {
            try communicator.check(started.code, Self.function)
            try communicator.check(cmpi_finish(&started), Self.function)
        }
        isUnderWay = false
    }
}
