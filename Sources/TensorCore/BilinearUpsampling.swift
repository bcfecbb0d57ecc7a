/// Bilinear interpolation of a small map to pixels (PyTorch's `align_corners=False`), and its adjoint, as products with
/// one matrix for each axis.
///
/// `every` > 1 samples only the centres of blocks of every × every pixels, the last of which may be incomplete.
public struct BilinearUpsampling {
    /// [output rows, map rows]
    private let vertical: Tensor
    /// [output columns, map columns]
    private let horizontal: Tensor

    public var rows: Int { vertical.shape[0] }
    public var columns: Int { horizontal.shape[0] }
    private var mapRows: Int { vertical.shape[1] }
    private var mapColumns: Int { horizontal.shape[1] }

    public init(mapRows: Int, mapColumns: Int, height: Int, width: Int, every: Int = 1) {
        vertical = Self.matrix(inputs: mapRows, pixels: height, every: every)
        horizontal = Self.matrix(inputs: mapColumns, pixels: width, every: every)
    }

    /// The weights of `inputs` cells in each sampled pixel of an axis: at most two in each row.
    private static func matrix(inputs: Int, pixels: Int, every: Int) -> Tensor {
        let outputs = (pixels + every - 1) / every
        let matrix = Tensor.zeros([outputs, inputs])
        for output in 0..<outputs {
            let centre = (Double(output) + 0.5) * Double(every) / Double(pixels)
            let position = min(max(centre * Double(inputs) - 0.5, 0), Double(inputs - 1))
            let low = min(Int(position), inputs - 1), high = min(low + 1, inputs - 1)
            matrix.floats[output * inputs + low] += Float(1 - (position - Double(low)))
            matrix.floats[output * inputs + high] += Float(position - Double(low))
        }
        return matrix
    }

    /// A map [map rows · map columns, K] → [rows, K, columns]: a row of pixels has each channel in one piece.
    public func callAsFunction(_ map: Tensor) -> Tensor {
        let channels = map.count / (mapRows * mapColumns)
        let cells = map.permutedInner(outer: mapRows, rows: mapColumns, columns: channels)
        let wide = Tensor([mapRows * channels, columns])
        wide.product(cells.matrix(columns: mapColumns), horizontal, transposeB: true)
        let output = Tensor([rows, channels * columns])
        output.product(vertical, wide.reshaped([mapRows, channels * columns]))
        return output.reshaped([rows, channels, columns])
    }

    /// The gradient [map rows · map columns, K] of a map whose upsampled pixels have the gradient [rows, K, columns].
    public func adjoint(_ gradient: Tensor) -> Tensor {
        let channels = gradient.count / (rows * columns)
        let wide = Tensor([mapRows, channels * columns])
        wide.product(vertical, gradient.reshaped([rows, channels * columns]), transposeA: true)
        let cells = Tensor([mapRows * channels, mapColumns])
        cells.product(wide.reshaped([mapRows * channels, columns]), horizontal)
        return cells.permutedInner(outer: mapRows, rows: channels, columns: mapColumns)
            .reshaped([mapRows * mapColumns, channels])
    }
}
