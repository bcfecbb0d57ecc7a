package import NeuralNetwork
package import TensorCore

/// The online network on one view: forward, and backward of one direction of the loss.
///
/// Both may be among interleaved passes; so what statistics are summed with is given to each.
package final class OnlineView {
    private let model: PixelModel
    private let view: Tensor
    private let measuresAttention: Bool
    private let statistics = GivenStatistics()
    private let pass: Pass
    private let tape = Tape()
    private var prediction: PixelModel.Prediction?

    /// View [N, S, S, 3].
    package init(
        _ model: PixelModel, view: Tensor, measuresAttention: Bool = false,
        convolutions: Convolutions = Convolutions()
    ) {
        (self.model, self.view, self.measuresAttention) = (model, view, measuresAttention)
        pass = Pass(
            mode: .training, tape: tape, statistics: statistics, elementType: model.settings.elementType,
            convolutions: convolutions)
    }

    /// What the operations of a way, forward or backward, sum their statistics with.
    private final class GivenStatistics: StatisticsReducing {
        var current: any StatisticsReducing = LocalStatistics()
        func sum(_ values: UnsafeMutableBufferPointer<Double>) throws { try current.sum(values) }
        func inOrder(_ body: @escaping () -> Void) { current.inOrder(body) }
    }

    /// Forward.
    package func predict(_ statistics: any StatisticsReducing) throws {
        self.statistics.current = statistics
        defer { self.statistics.current = LocalStatistics() }
        prediction = try Trace.span("forward", counts: .forward) {
            try model.predict(view, measuresAttention: measuresAttention, pass)
        }
    }

    /// Backward, after forward where that has not been done; what was recorded is freed.
    package func learn(
        _ direction: PixelModel.Direction, _ statistics: any StatisticsReducing,
        onGradientReady: ((Parameter) throws -> Void)? = nil
    ) throws -> PixelModel.Losses {
        if prediction == nil { try predict(statistics) }
        self.statistics.current = statistics
        defer { self.statistics.current = LocalStatistics() }
        let (losses, total) = try takeLosses(direction)
        try Trace.span("backward", counts: .backward) {
            try tape.backward(from: total, seed: Tensor([1], [1]), onGradientReady: onGradientReady)
        }
        return losses
    }

    /// Leaves what was predicted to the tape, which frees it as it goes.
    private func takeLosses(_ direction: PixelModel.Direction) throws -> (PixelModel.Losses, total: Variable) {
        defer { prediction = nil }
        return try model.losses(of: prediction!, direction, pass)
    }
}

/// Hears of each parameter from the tapes of several views, and tells of it when the last has contributed.
struct GradientsOfViews {
    private let views: Int
    private var heard: [ObjectIdentifier: Int] = [:]

    init(views: Int) { self.views = views }

    /// Whether nothing will be added to its gradient.
    mutating func isComplete(_ parameter: Parameter) -> Bool {
        let count = heard[ObjectIdentifier(parameter), default: 0] + 1
        heard[ObjectIdentifier(parameter)] = count
        return count == views
    }
}
