import Foundation
import TensorCore

/// Contextual attention of one picture by loops over single positions, in double precision, straight from the formulas.
struct AttentionTwin {
    let layer: PatchAttention
    /// [H, W, C] by places.
    let height, width, channels: Int
    let backgroundHeight, backgroundWidth: Int
    /// Of background patches.
    let valid: [Bool]

    private var rows: Int { height / 2 }
    private var columns: Int { width / 2 }
    private var patchRows: Int { backgroundHeight / 2 }
    private var patchColumns: Int { backgroundWidth / 2 }
    private var positions: Int { rows * columns }
    private var patches: Int { patchRows * patchColumns }

    private func patch(_ map: [Double], _ y: Int, _ x: Int, _ height: Int, _ width: Int) -> [Double] {
        var numbers: [Double] = []
        for i in y - 1...y + 1 {
            for j in x - 1...x + 1 {
                for c in 0..<channels {
                    let isInside = i >= 0 && j >= 0 && i < height / 2 && j < width / 2
                    numbers.append(isInside ? map[(2 * i * width + 2 * j) * channels + c] : 0)
                }
            }
        }
        return numbers
    }

    private func norm(_ patch: [Double]) -> Double { max(patch.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-4) }

    private func scores(_ f: [Double], _ b: [Double]) -> [[Double]] {
        let own = (0..<positions).map { patch(f, $0 / columns, $0 % columns, height, width) }
        let others = (0..<patches).map {
            patch(b, $0 / patchColumns, $0 % patchColumns, backgroundHeight, backgroundWidth)
        }
        return own.map { p in
            others.map { q in
                zip(p, q).reduce(0) { $0 + $1.0 * $1.1 } / norm(q) / (layer.isCosine ? norm(p) : 1)
            }
        }
    }

    /// Where the neighbour i further along an axis is; nil beyond the ends.
    private func step(_ place: Int, _ i: Int, alongRow: Bool, _ rows: Int, _ columns: Int) -> Int? {
        let (y, x) = (place / columns, place % columns)
        if layer.wraps {
            let line = alongRow ? place + i : x * rows + y + i
            guard (0..<rows * columns).contains(line) else { return nil }
            return alongRow ? line : line % rows * columns + line / rows
        }
        let (toY, toX) = alongRow ? (y, x + i) : (y + i, x)
        return (0..<rows).contains(toY) && (0..<columns).contains(toX) ? toY * columns + toX : nil
    }

    private func propagated(_ scores: [[Double]]) -> [[Double]] {
        [true, false].reduce(scores) { scores, alongRow in
            (0..<positions).map { p in
                (0..<patches).map { q in
                    (-1...1).reduce(0.0) { sum, i in
                        guard let a = step(p, i, alongRow: alongRow, rows, columns),
                            let b = step(q, i, alongRow: alongRow, patchRows, patchColumns)
                        else { return sum }
                        return sum + scores[a][b]
                    }
                }
            }
        }
    }

    private func softmax(_ scores: [Double]) -> [Double] {
        let top = zip(scores, valid).filter(\.1).map(\.0).max() ?? 0
        let shares = zip(scores, valid).map { $1 ? exp(10 * ($0 - top)) : 0 }, sum = shares.reduce(0, +)
        return shares.map { sum > 0 ? $0 / sum : 0 }
    }

    func attention(_ f: [Double], _ b: [Double]) -> [[Double]] {
        let scores = scores(f, b)
        if layer.propagatesScores { return propagated(scores).map(softmax) }
        return propagated(scores.map(softmax)).map { weights in
            let counted = zip(weights, valid).map { $1 ? $0 : 0 }, sum = max(counted.reduce(0, +), 1e-12)
            return counted.map { $0 / sum }
        }
    }

    /// [H, W, C].
    func output(_ f: [Double], _ b: [Double]) -> [Double] {
        let weights = attention(f, b)
        var result = [Double](repeating: 0, count: height * width * channels)
        var cover = [Double](repeating: 0, count: height * width)
        for p in 0..<positions {
            for i in 0..<4 {
                for j in 0..<4 {
                    let y = 2 * (p / columns) - 1 + i, x = 2 * (p % columns) - 1 + j
                    guard (0..<height).contains(y), (0..<width).contains(x) else { continue }
                    cover[y * width + x] += 1
                    for q in 0..<patches where weights[p][q] != 0 {
                        let fromY = 2 * (q / patchColumns) - 1 + i, fromX = 2 * (q % patchColumns) - 1 + j
                        guard (0..<backgroundHeight).contains(fromY), (0..<backgroundWidth).contains(fromX) else {
                            continue
                        }
                        for c in 0..<channels {
                            result[(y * width + x) * channels + c] +=
                                weights[p][q] * b[(fromY * backgroundWidth + fromX) * channels + c]
                        }
                    }
                }
            }
        }
        for place in result.indices { result[place] /= layer.averagesByCount ? cover[place / channels] : 4 }
        return result
    }
}
