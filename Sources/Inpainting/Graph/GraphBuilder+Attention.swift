import Exporting
import TensorCore

/// Contextual attention in ONNX's operators: whole matrices of scores, as runtimes multiply them fastest.
extension GraphBuilder {
    /// Of a map [N, C, H, W] to itself, where `holes` [N, 1, 4H, 4W] are 0: `PatchAttention`, for holes of free form.
    func contextualAttention(
        _ map: GraphValue, channels: Int, holes: GraphValue, _ attention: PatchAttention
    ) -> GraphValue {
        let every2 = [
            integers([0, 0]), integers([Int(Int32.max), Int(Int32.max)]), integers([2, 3]), integers([2, 2]),
        ]
        let positions = node("Slice", [map] + every2)
        let grid = Grid(rows: side(positions, 2), columns: side(positions, 3))
        let known = knownPatches(holes)
        let scores = self.scores(unfold(positions, channels: channels, kernel: 3, stride: 1), attention)
        let weights: GraphValue
        if attention.propagatesScores {
            weights = softmax(propagate(scores, grid, wraps: attention.wraps), known: known)
        } else {
            let spread = multiply(propagate(softmax(scores, known: known), grid, wraps: attention.wraps), known)
            let sums = node("ReduceSum", [spread, integers([2])])
            weights = node("Div", [spread, node("Max", [sums, floats([PatchAttention.leastSum])])])
        }
        let patches = unfold(map, channels: channels, kernel: 4, stride: 2)
        let sums = node("MatMul", [patches, transpose(weights, [0, 2, 1])])
        return fold(sums, grid, channels: channels, averagesByCount: attention.averagesByCount)
    }

    /// Rows and columns of positions, known when the graph is run.
    private struct Grid {
        let rows, columns: GraphValue
    }

    /// One dimension of a value, as a vector of one number: a part of a shape.
    private func side(_ x: GraphValue, _ axis: Int) -> GraphValue {
        node("Gather", [node("Shape", [x]), integers([axis])])
    }

    /// 1 where a patch of 3×3 positions, cells of 8×8 pixels, holds no hole: [N, 1, positions].
    private func knownPatches(_ holes: GraphValue) -> GraphValue {
        let cells = maxPool(holes, kernel: 8, stride: 8, padding: 0)
        return node("Reshape", [complement(maxPool(cells, kernel: 3, stride: 1, padding: 1)), integers([0, 1, -1])])
    }

    /// Patches of x [N, C, H, W] about one pixel apart from its border: [N, C · kernel², patches].
    private func unfold(_ x: GraphValue, channels: Int, kernel: Int, stride: Int) -> GraphValue {
        let patches = node("Conv", [x, places(channels, kernel)], spatial(channels, kernel, stride))
        return node("Reshape", [patches, integers([0, channels * kernel * kernel, -1])])
    }

    /// Patches of 4×4, two apart, added up where they overlap, and divided by their number.
    private func fold(_ patches: GraphValue, _ grid: Grid, channels: Int, averagesByCount: Bool) -> GraphValue {
        let placed = node(
            "Reshape",
            [
                patches,
                node("Concat", [integers([0, channels * 16]), grid.rows, grid.columns], [("axis", .integer(0))]),
            ])
        let sums = node("ConvTranspose", [placed, places(channels, 4)], spatial(channels, 4, 2))
        guard averagesByCount else { return scale(sums, by: 0.25) }
        let one = node("Slice", [placed, integers([0, 0]), integers([1, 1]), integers([0, 1])])
        let ones = scale(one, by: 0, plus: 1)
        let square = floats([Float](repeating: 1, count: 16), shape: [1, 1, 4, 4])
        return node("Div", [sums, node("ConvTranspose", [ones, square], spatial(1, 4, 2))])
    }

    /// For each channel and place of a kernel the kernel that takes that place: [C · kernel², 1, kernel, kernel].
    private func places(_ channels: Int, _ kernel: Int) -> GraphValue {
        let count = kernel * kernel
        let one = (0..<count * count).map { Float($0 / count == $0 % count ? 1 : 0) }
        return floats(
            [[Float]](repeating: one, count: channels).flatMap { $0 }, shape: [channels * count, 1, kernel, kernel])
    }

    private func spatial(
        _ groups: Int, _ kernel: Int, _ stride: Int
    ) -> [(name: String, value: GraphAttribute)] {
        [
            ("kernel_shape", .integers([kernel, kernel])), ("strides", .integers([stride, stride])),
            ("pads", .integers([1, 1, 1, 1])), ("group", .integer(groups)),
        ]
    }

    /// Inner products of all patches [N, numbers, P], divided by the length of the second, or of both: [N, P, P].
    private func scores(_ patches: GraphValue, _ attention: PatchAttention) -> GraphValue {
        let squares = node("ReduceSum", [multiply(patches, patches), integers([1])])
        let unit = node("Div", [patches, node("Max", [node("Sqrt", [squares]), floats([PatchAttention.leastNorm])])])
        return node("MatMul", [transpose(attention.isCosine ? unit : patches, [0, 2, 1]), unit])
    }

    /// Adds up what neighbours beside each other, then above each other, say at equal displacements: [N, P, P].
    private func propagate(_ scores: GraphValue, _ grid: Grid, wraps: Bool) -> GraphValue {
        let both = node(
            "Concat", [integers([0]), grid.rows, grid.columns, grid.rows, grid.columns], [("axis", .integer(0))])
        // Rows and columns of positions, rows and columns of patches.
        let grids = node("Reshape", [scores, both])
        let columnsFirst = transpose(alongDiagonals(grids, wraps: wraps), [0, 2, 1, 4, 3])
        let stacked = alongDiagonals(columnsFirst, wraps: wraps)
        return node("Reshape", [transpose(stacked, [0, 2, 1, 4, 3]), node("Shape", [scores])])
    }

    /// x[p, q] + x[p − 1, q − 1] + x[p + 1, q + 1] of the last places of both grids [N, a, b, c, d]: within lines, or over
    /// whole grids as one line each.
    private func alongDiagonals(_ grids: GraphValue, wraps: Bool) -> GraphValue {
        // A plane is a line of positions by a line of patches, which b and d make where they are beside each other.
        let order = wraps ? [0, 1, 2, 3, 4] : [0, 1, 3, 2, 4], together = transpose(grids, order)
        let (b, d) = (side(grids, 2), side(grids, 4))
        let plane = wraps ? [node("Mul", [side(grids, 1), b]), node("Mul", [side(grids, 3), d])] : [b, d]
        let shape = node("Concat", [integers([-1, 1])] + plane, [("axis", .integer(0))])
        let diagonal = floats([1, 0, 0, 0, 1, 0, 0, 0, 1], shape: [1, 1, 3, 3])
        let sums = node("Conv", [node("Reshape", [together, shape]), diagonal], spatial(1, 3, 1))
        return transpose(node("Reshape", [sums, node("Shape", [together])]), order)
    }

    /// softmax(10 · scores) over the patches that are known, 0 elsewhere, and everywhere where none is.
    private func softmax(_ scores: GraphValue, known: GraphValue) -> GraphValue {
        let logits = add(scale(scores, by: PatchAttention.scale), scale(complement(known), by: -1e30))
        return multiply(node("Softmax", [logits], [("axis", .integer(2))]), known)
    }
}

/// Small arithmetic.
extension GraphBuilder {
    func multiply(_ a: GraphValue, _ b: GraphValue) -> GraphValue { node("Mul", [a, b]) }

    /// factor · x + offset.
    func scale(_ x: GraphValue, by factor: Float, plus offset: Float = 0) -> GraphValue {
        let product = multiply(x, floats([factor]))
        return offset == 0 ? product : add(product, floats([offset]))
    }

    /// 1 − x.
    func complement(_ x: GraphValue) -> GraphValue { node("Sub", [floats([1]), x]) }

    func clip(_ x: GraphValue, to bound: Float) -> GraphValue {
        node("Clip", [x, floats([-bound], shape: []), floats([bound], shape: [])])
    }

    /// 1 where x is at least `bound`, else 0.
    func atLeast(_ x: GraphValue, _ bound: Float) -> GraphValue {
        complement(asFloat(node("Less", [x, floats([bound])])))
    }

    func joinChannels(_ maps: [GraphValue]) -> GraphValue { node("Concat", maps, [("axis", .integer(1))]) }

    func transpose(_ x: GraphValue, _ order: [Int]) -> GraphValue {
        node("Transpose", [x], [("perm", .integers(order))])
    }

    /// Twice the size each way, by nearest neighbours.
    func twice(_ x: GraphValue) -> GraphValue {
        node(
            "Resize", [x, nil, floats([1, 1, 2, 2])],
            [
                ("mode", .text("nearest")), ("coordinate_transformation_mode", .text("asymmetric")),
                ("nearest_mode", .text("floor")),
            ])
    }

    /// x in holes, pictures around them.
    func paste(_ x: GraphValue, into holes: GraphValue, of pictures: GraphValue) -> GraphValue {
        add(multiply(x, holes), multiply(pictures, complement(holes)))
    }
}
