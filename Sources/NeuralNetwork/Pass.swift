package import TensorCore

/// How a model is being run: what a layer's forward needs to know beside its input.
package final class Pass {
    package enum Mode: Sendable {
        /// Statistics of the batch normalise it and move the running statistics.
        case training
        /// Running statistics normalise.
        case evaluation
    }

    package let mode: Mode
    /// Records for a backward pass; nil for the momentum encoder and for evaluation.
    package let tape: Tape?
    package let statistics: any StatisticsReducing
    /// What maps are stored as; weights, statistics and losses are float32 in either case.
    package let elementType: ElementType
    /// To be shared by passes between which the weights do not change.
    package let convolutions: Convolutions
    /// Looks at what operations give; nil but while a step is replayed.
    private let watch = OperationWatch.current
    /// Whom what operations move is told; nil unless somebody asked.
    private let traffic = MemoryTraffic.current

    package init(
        mode: Mode, tape: Tape? = nil, statistics: any StatisticsReducing = LocalStatistics(),
        elementType: ElementType = .float32, convolutions: Convolutions = Convolutions()
    ) {
        self.mode = mode
        self.tape = tape
        self.statistics = statistics
        self.elementType = elementType
        self.convolutions = convolutions
    }

    /// Whether an operation on these is recorded: there is a tape, and one of them wants a gradient.
    func records(_ inputs: [Variable], _ parameters: [Parameter]) -> Bool {
        tape != nil && (inputs.contains(where: \.needsGradient) || parameters.contains(where: \.needsGradient))
    }

    /// The output of an operation, with its way back: every operation ends here.
    ///
    /// A gradient is wanted if an input or a parameter wants one; otherwise nothing is recorded, and what `backward`
    /// holds is freed at once.
    ///
    /// - Parameters:
    ///   - file: names the operation, with `function`.
    ///   - backward: given the output's gradient, which it owns, gives each input and parameter its contribution.
    package func output(
        _ value: Tensor, of inputs: [Variable], _ parameters: [Parameter] = [], file: StaticString = #fileID,
        function: StaticString = #function, backward: @escaping (_ outputGradient: Tensor) throws -> Void
    ) -> Variable {
        output(
            LazyValue(value), of: inputs, parameters, file: file, function: function, backward: backward)
    }

    /// The same of a value that is written when it is first read.
    func output(
        _ content: LazyValue, of inputs: [Variable], _ parameters: [Parameter], file: StaticString,
        function: StaticString, backward: @escaping (_ outputGradient: Tensor) throws -> Void
    ) -> Variable {
        var backward = backward
        if let watch {
            let operation = OperationWatch.Operation(
                file: file, function: function, inputs: inputs, parameters: parameters)
            watch.lookAtOutput(content.written(), of: operation)
            backward = { [inner = backward] gradient in
                let extent = gradient.extent
                try inner(gradient)
                watch.lookAtGradients(of: operation, outputGradient: extent)
            }
        }
        if let traffic {
            let name = OperationWatch.Operation.name(file, function)
            traffic.end(name, tape == nil ? .forwardAlone : .forward)
            backward = { [inner = backward] gradient in
                try inner(gradient)
                traffic.end(name, .backward)
            }
        }
        guard let tape, records(inputs, parameters) else { return Variable(content) }
        let output = Variable(content, needsGradient: true)
        tape.record(output, of: inputs, parameters.filter(\.needsGradient), backward: backward)
        return output
    }
}
