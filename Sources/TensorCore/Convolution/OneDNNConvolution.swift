#if ONEDNN
    import COneDNN
    import Threads

    /// Convolution by oneDNN, in float32 and bfloat16; primitives are compiled once for each shape.
    struct OneDNNConvolution: ConvolutionEngine {
        let name = "oneDNN " + String(cString: conednn_version())

        func forward(
            _ geometry: ConvolutionGeometry, input: Tensor, weight: Tensor, packs: WeightPacks, output: Tensor
        ) {
            let primitive = OneDNNPrimitive.of(.init(geometry, conednn_forward, input.elementType))
            primitive.run(input, primitive.packed(weight, packs), output)
        }

        func backwardData(
            _ geometry: ConvolutionGeometry, outputGradient: Tensor, weight: Tensor, packs: WeightPacks,
            inputGradient: Tensor, accumulate: Bool
        ) {
            if geometry.isPointwise {
                // The product with the transposed weights: oneDNN's forward kernels are the faster ones, and can add.
                let primitive = OneDNNPrimitive.of(
                    .init(oppositeOf: geometry, outputGradient.elementType, accumulates: accumulate))
                primitive.run(outputGradient, primitive.packed(weight, packs), inputGradient)
                return
            }
            let primitive = OneDNNPrimitive.of(.init(geometry, conednn_backward_data, outputGradient.elementType))
            let target = accumulate ? Tensor(inputGradient.shape, inputGradient.elementType) : inputGradient
            primitive.run(target, primitive.packed(weight, packs), outputGradient)
            if accumulate { inputGradient.addOnThisThread(target) }
        }

        func backwardWeights(
            _ geometry: ConvolutionGeometry, input: Tensor, outputGradient: Tensor, weightGradient: Tensor,
            accumulate: Bool
        ) {
            let primitive = OneDNNPrimitive.of(.init(geometry, conednn_backward_weights, input.elementType))
            let gradient = primitive.weightBuffer()
            primitive.run(input, gradient, outputGradient)
            primitive.unpack(gradient, into: weightGradient, accumulate: accumulate)
        }
    }

    /// A compiled convolution of one shape and direction.
    private final class OneDNNPrimitive: @unchecked Sendable {
        // @unchecked: the handle never changes, and oneDNN lets several threads run it.
        private let handle: OpaquePointer
        private let shape: Shape
        private let layout: WeightPacks.Layout
        private let scratchBytes: Int

        struct Shape: Hashable {
            let geometry: ConvolutionGeometry
            let direction: UInt32
            let type: ElementType
            var transposed = false
            var accumulates = false

            init(_ geometry: ConvolutionGeometry, _ direction: conednn_direction, _ type: ElementType) {
                self.geometry = geometry
                self.direction = direction.rawValue
                self.type = type
            }

            /// The forward convolution that gives the gradient for the input of the 1×1 convolution `geometry`.
            init(oppositeOf geometry: ConvolutionGeometry, _ type: ElementType, accumulates: Bool) {
                var opposite = geometry
                opposite.inputChannels = geometry.outputChannels
                opposite.outputChannels = geometry.inputChannels
                self.init(opposite, conednn_forward, type)
                transposed = true
                self.accumulates = accumulates
            }
        }

        private static let lock = Monitor()
        nonisolated(unsafe) private static var compiled: [Shape: OneDNNPrimitive] = [:]

        /// The primitive for `shape`, compiled when it is first asked for.
        static func of(_ shape: Shape) -> OneDNNPrimitive {
            lock.withLock {
                if let primitive = compiled[shape] { return primitive }
                let primitive = OneDNNPrimitive(shape)
                compiled[shape] = primitive
                return primitive
            }
        }

        private init(_ shape: Shape) {
            let g = shape.geometry
            var description = conednn_shape(
                batch: Int32(g.batch), height: Int32(g.height), width: Int32(g.width),
                input_channels: Int32(g.inputChannels), output_height: Int32(g.outputHeight),
                output_width: Int32(g.outputWidth), output_channels: Int32(g.outputChannels), kernel: Int32(g.kernel),
                stride: Int32(g.stride), padding: Int32(g.padding), dilation: Int32(g.dilation),
                bfloat16: shape.type == .bfloat16 ? 1 : 0, direction: Int32(shape.direction),
                transposed: shape.transposed ? 1 : 0, accumulates: shape.accumulates ? 1 : 0)
            var handle: OpaquePointer?
            Self.check(conednn_create(&description, &handle), "compile", shape)
            self.handle = handle!
            self.shape = shape
            layout = .oneDNN(conednn_weight_layout(handle), transposed: shape.transposed)
            scratchBytes = conednn_scratch_bytes(handle)
        }

        /// Memory for the weights' gradient as the primitive lays it out.
        func weightBuffer() -> Tensor { Tensor([(conednn_weight_bytes(handle) + 3) / 4]) }

        func packed(_ weight: Tensor, _ packs: WeightPacks) -> Tensor {
            packs.packed(weight, layout: layout) {
                let packed = weightBuffer()
                Self.check(conednn_pack(handle, weight.pointer, packed.bytes), "pack the weights of", shape)
                return packed
            }
        }

        func unpack(_ packed: Tensor, into gradient: Tensor, accumulate: Bool) {
            Self.check(
                conednn_unpack(handle, packed.bytes, gradient.pointer, accumulate ? 1 : 0), "unpack the gradient of",
                shape)
        }

        /// `input` and `output` are the maps of the convolution or their gradients.
        func run(_ input: Tensor, _ weights: Tensor, _ output: Tensor) {
            let scratch = Tensor([(scratchBytes + 3) / 4])
            Self.check(conednn_run(handle, input.bytes, weights.bytes, output.bytes, scratch.bytes), "run", shape)
        }

        /// The one place that looks at oneDNN's status. Shapes and types are checked long before, so that a failure is a
        /// broken installation: it ends the program.
        private static func check(_ status: Int32, _ action: String, _ shape: Shape) {
            guard status != 0 else { return }
            fatalError(
                "oneDNN cannot \(action) \(shape.geometry) in \(shape.type): "
                    + "\(String(cString: conednn_status_text(status))); PIXPRO_ONEDNN=0 swift build leaves oneDNN out")
        }
    }
#endif
