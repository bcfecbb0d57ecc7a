import ImagePipeline
import NeuralNetwork
import TensorCore

/// A critic and the part of a picture that it sees.
struct CriticView {
    let name: String
    let index: Int
    let critic: Critic
    /// Nil: all of it.
    private let windows: [PixelWindow]?

    static func all(_ critics: Critics, _ batch: MaskedBatch) -> [CriticView] {
        [
            CriticView(name: "global", index: 0, critic: critics.global, windows: nil),
            CriticView(name: "local", index: 1, critic: critics.local, windows: batch.windows),
        ]
    }

    /// Of maps [N, H, W, C].
    func part(of maps: Variable, _ pass: Pass) -> Variable {
        guard let windows else { return maps }
        return crop(
            maps, at: windows.map { ($0.top, $0.left) }, height: windows[0].height, width: windows[0].width, pass)
    }
}
