/// One side of a convolution as shifts: position `u` of the result sums, over taps, position `u + shift` of a phase of
/// the source; a phase is every `step`-th position of it.
struct TapAxis {
    struct Tap {
        let index: Int
        let phase: Int
        let shift: Int
    }

    let taps: [Tap]
    /// Positions of the result.
    let count: Int
    let source: Int
    let step: Int
    /// Positions of a phase that are read.
    private(set) var stored: Int
    /// From a row of positions to the next one: with enough zeros between them for taps that reach over an edge.
    private(set) var pitch: Int

    private init(_ taps: [Tap], count: Int, source: Int, step: Int) {
        (self.taps, self.count, self.source, self.step) = (taps, count, source, step)
        func content(_ tap: Tap) -> Int { (source - tap.phase + step - 1) / step }
        stored = taps.map { max(0, min(content($0), count + $0.shift)) }.max() ?? 0
        let zeros = taps.map { max(0, -$0.shift, count + $0.shift - content($0)) }.max() ?? 0
        pitch = max(count, stored + zeros)
    }

    /// Of the convolution itself: phases are of the input.
    init(forward g: ConvolutionGeometry, input: Int, output: Int) {
        let taps = (0..<g.kernel).map { index in
            let place = index * g.dilation - g.padding
            let phase = (place % g.stride + g.stride) % g.stride
            return Tap(index: index, phase: phase, shift: (place - phase) / g.stride)
        }
        self.init(taps, count: output, source: input, step: g.stride)
    }

    /// Of its gradient for the input, one for each phase of that; all with one pitch, over the gradient of the output.
    static func gradients(_ g: ConvolutionGeometry, input: Int, output: Int) -> [TapAxis] {
        var axes = (0..<g.stride).map { phase in
            let taps = (0..<g.kernel).compactMap { index -> Tap? in
                let place = phase + g.padding - index * g.dilation
                return place % g.stride == 0 ? Tap(index: index, phase: 0, shift: place / g.stride) : nil
            }
            return TapAxis(taps, count: max(0, (input - phase + g.stride - 1) / g.stride), source: output, step: 1)
        }
        // What all phases read lies there once, with the zeros that any of them wants.
        let stored = axes.map(\.stored).max()!, zeros = axes.map { $0.pitch - $0.stored }.max()!
        for i in axes.indices { (axes[i].stored, axes[i].pitch) = (stored, stored + zeros) }
        return axes
    }
}
