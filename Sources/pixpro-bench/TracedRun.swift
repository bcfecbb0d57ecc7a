import TensorCore

/// What a trace of some work says of this rank's first thread.
struct TracedRun {
    private let total: Double
    private let spans: [Trace.Span]

    init(of work: () throws -> Void) throws {
        Trace.shared.start()
        total = try seconds(work)
        spans = Trace.shared.stop()
    }

    /// The share of the time in spans whose names begin so.
    func share(_ name: String) -> Double {
        spans.filter { $0.name.hasPrefix(name) }.reduce(0) { $0 + Double($1.duration) / 1e9 } / total
    }

    /// The share of convolutions, the normalisation within them left out.
    var convolutions: Double { share("convolution") - share("moments") - share("normalisation") }
}
