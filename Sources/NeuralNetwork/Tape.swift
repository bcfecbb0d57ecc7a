import TensorCore

/// A value on its way through a model, and the gradient that flows back to it.
public final class Variable {
    public let value: Tensor
    /// Whether a gradient is wanted: false for images and for everything computed without a tape.
    public let needsGradient: Bool
    /// Of the value's element type.
    public private(set) var gradient: Tensor?
    /// [Σx (C), Σx² (C)] over the value's rows, gathered while it was in cache by the convolution that made it. Such a
    /// value is for the normalisation behind the convolution alone, which overwrites it where no tape needs it.
    let moments: Accumulators?

    public convenience init(_ value: Tensor, needsGradient: Bool = false) {
        self.init(value, needsGradient: needsGradient, moments: nil)
    }

    init(_ value: Tensor, needsGradient: Bool, moments: Accumulators?) {
        self.value = value
        self.needsGradient = needsGradient
        self.moments = moments
    }

    /// Adds a contribution; the variable takes over `tensor`, which nobody else may use afterwards.
    public func receive(_ tensor: Tensor) {
        guard needsGradient else { return }
        precondition(
            tensor.count == value.count && tensor.elementType == value.elementType,
            "gradient \(tensor.elementType) \(tensor.shape) for value \(value.elementType) \(value.shape)")
        if let gradient {
            gradient.addInPlace(tensor)
        } else {
            gradient = tensor.reshaped(value.shape)
        }
    }

    /// Lets `contribution` write to the gradient, or add to it where there is something already.
    func accumulate(_ contribution: (_ gradient: Tensor, _ accumulate: Bool) -> Void) {
        guard needsGradient else { return }
        if let gradient {
            contribution(gradient, true)
        } else {
            let fresh = Tensor(value.shape, value.elementType)
            contribution(fresh, false)
            gradient = fresh
        }
    }

    public func takeGradient() -> Tensor? {
        defer { gradient = nil }
        return gradient
    }
}

/// The record of one forward pass, played backwards once.
///
/// Operations are coarse (a convolution, a normalisation with its rectifier): an operation writes its backward once, a
/// model only its forward. What an operation saved is freed as soon as its backward has run.
public final class Tape {
    private struct Entry {
        let parameters: [Parameter]
        let backward: () throws -> Void
    }

    private var entries: [Entry] = []

    public init() {}

    /// Records an operation that gives each of `parameters` one contribution when it runs backwards.
    public func record(_ parameters: [Parameter] = [], backward: @escaping () throws -> Void) {
        for parameter in parameters where parameter.gradient != nil { parameter.pendingUses += 1 }
        entries.append(Entry(parameters: parameters, backward: backward))
    }

    /// Runs all recorded operations backwards from `output`, whose gradient is `seed`.
    ///
    /// `onGradientReady` hears of each parameter as soon as its last use on this tape has contributed: pass it only for
    /// the last pass of a step.
    public func backward(
        from output: Variable, seed: Tensor, onGradientReady: ((Parameter) throws -> Void)? = nil
    ) throws {
        output.receive(seed)
        while let entry = entries.popLast() {
            try entry.backward()
            for parameter in entry.parameters where parameter.gradient != nil {
                parameter.pendingUses -= 1
                if parameter.pendingUses == 0 { try onGradientReady?(parameter) }
            }
        }
    }
}

/// How a model is being run: what a layer's forward needs to know beside its input.
public final class Pass {
    public enum Mode: Sendable {
        /// Statistics of the batch normalise it and move the running statistics.
        case training
        /// Running statistics normalise.
        case evaluation
    }

    public let mode: Mode
    /// Records for a backward pass; nil for the momentum encoder and for evaluation.
    public let tape: Tape?
    public let statistics: any StatisticsReducing
    /// What maps are stored as; weights, statistics and losses are float32 in either case.
    public let elementType: ElementType
    /// To be shared by passes between which the weights do not change.
    public let convolutions: Convolutions

    public init(
        mode: Mode, tape: Tape? = nil, statistics: any StatisticsReducing = LocalStatistics(),
        elementType: ElementType = .float32, convolutions: Convolutions = Convolutions()
    ) {
        self.mode = mode
        self.tape = tape
        self.statistics = statistics
        self.elementType = elementType
        self.convolutions = convolutions
    }
}
