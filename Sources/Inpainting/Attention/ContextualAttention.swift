package import NeuralNetwork
package import TensorCore

/// The layer of contextual attention: what the foreground looks for is taken from known parts of the background.
package struct ContextualAttention {
    private let attention: PatchAttention

    package init(_ attention: PatchAttention) { self.attention = attention }

    /// Where each position of a batch looks most: what the picture of attention is drawn from.
    package struct Map: Sendable {
        /// Positions of the foreground, and patches of the background, by rows and columns.
        package let rows, columns, backgroundRows, backgroundColumns: Int
        /// The patch of largest weight of each image's positions, −1 where none is known.
        package let best: [Int32]

        package init(rows: Int, columns: Int, backgroundRows: Int, backgroundColumns: Int, best: [Int32]) {
            (self.rows, self.columns) = (rows, columns)
            (self.backgroundRows, self.backgroundColumns) = (backgroundRows, backgroundColumns)
            self.best = best
        }

        package var images: Int { best.count / (rows * columns) }

        /// How far from a position the patch lies that it takes most from; 0 where none is known.
        package func offset(image: Int, row: Int, column: Int) -> (rows: Int, columns: Int) {
            let patch = Int(best[(image * rows + row) * columns + column])
            guard patch >= 0 else { return (0, 0) }
            return (patch / backgroundColumns - row, patch % backgroundColumns - column)
        }
    }

    /// foreground [N, H, W, C], background [N, H', W', C], masks [N, H', W'] of it, 1 = hole → [N, H, W, C], and if it is
    /// asked for where positions look most. Scores and weights are float32.
    package func callAsFunction(
        _ foreground: Variable, _ background: Variable, masks: Tensor, _ form: HoleForm, wantsMap: Bool = false,
        _ pass: Pass
    ) -> (output: Variable, map: Map?) {
        let type = foreground.value.elementType, f = foreground.value.cast(to: .float32)
        let b = background === foreground ? f : background.value.cast(to: .float32)
        let valid = PatchValidity.bias(PatchValidity.reduced(masks, by: 2, form))
        let (value, best) = Trace.span("attention forward") {
            attention(foreground: f, background: b, valid: valid, wantsBest: wantsMap)
        }
        let output = pass.output(value.cast(to: type), of: [foreground, background]) { [attention] dy in
            let (df, db) = Trace.span("attention backward") {
                attention.gradients(
                    foreground: f, background: b, valid: valid, outputGradient: dy.cast(to: .float32))
            }
            foreground.receive(df.cast(to: type))
            background.receive(db.cast(to: type))
        }
        let map = best.map {
            Map(
                rows: f.shape[1] / 2, columns: f.shape[2] / 2, backgroundRows: b.shape[1] / 2,
                backgroundColumns: b.shape[2] / 2, best: $0)
        }
        return (output, map)
    }
}
