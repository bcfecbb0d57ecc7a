import CKernels
import TensorCore
import TestSupport
import Testing

/// The tables of kernels: each entry has a twin in plain C, with which those of the processor agree.
///
/// Convolutions with the table that this processor takes (a twin, where it has none) are held against plain loops by
/// `ConvolutionTests`; normalisation, pooling and activations, whose twins are in Swift, against double precision by
/// `MapKernelTests`, with columns that fill registers and with others.
@Suite struct KernelTableTests {
    @Test(arguments: ElementType.allCases) func everyEntryHasATwin(_ type: ElementType) throws {
        func isFull<Table>(_ table: UnsafePointer<Table>?) -> Bool {
            guard let table else { return false }
            return withUnsafeBytes(of: table.pointee) { $0.bindMemory(to: UInt.self).allSatisfy { $0 != 0 } }
        }
        let portable = try #require(kernels_find(kernels_portable, element(type))).pointee
        #expect(isFull(portable.products) && isFull(portable.panels) && isFull(portable.winograd))
        let model = try #require(kernels_find(kernels_tile_model, kernels_bfloat16)).pointee
        #expect(isFull(model.tiles))
        // Four families in C and three in Swift: another one needs a twin, and its place here.
        #expect(MemoryLayout<kernels>.size == (4 + 3) * MemoryLayout<UnsafeRawPointer>.size)
    }

    @Test(.enabled(if: !FoundTable.all.isEmpty, "needs a processor with AVX2 or AVX-512"), arguments: FoundTable.all)
    fileprivate func theProcessorsAgreeWithTheirTwins(_ test: FoundTable) throws {
        let type = test.type
        let table = try #require(kernels_find(test.set, element(type)))
        let twins = try #require(kernels_find(kernels_portable, element(type)))
        let found = Entries(table.pointee, type).results(), expected = Entries(twins.pointee, type).results()
        for ((name, values), (_, twin)) in zip(found, expected) {
            // Packing moves numbers; what sums, and rounds to bfloat16, may round otherwise.
            let tolerance = name.hasPrefix("panels") ? 0 : type == .float32 ? 1e-6 : 4e-3
            #expect(relativeError(values, twin) <= tolerance, "\(name) of \(test)")
        }
    }
}

private func element(_ type: ElementType) -> kernels_element {
    type == .float32 ? kernels_float32 : kernels_bfloat16
}

/// A table that this processor has: of the vectors that convolutions are computed in, and of narrower ones.
private struct FoundTable: Sendable, CustomStringConvertible {
    let name: String
    let set: kernels_set
    let type: ElementType
    var description: String { "\(name), \(type)" }

    static let all = [("AVX2", kernels_avx2), ("AVX-512", kernels_avx512)].flatMap { name, set in
        ElementType.allCases.filter { kernels_find(set, element($0)) != nil }
            .map { FoundTable(name: name, set: set, type: $0) }
    }
}

/// The entries of one table, each with the same numbers.
private struct Entries {
    private let table: kernels
    private let type: ElementType
    private let perWord: Int

    init(_ table: kernels, _ type: ElementType) {
        (self.table, self.type) = (table, type)
        perWord = type == .float32 ? 1 : 2
    }

    /// What each makes of them, by its name.
    func results() -> [(name: String, values: [Float])] { products + panels + winograd }

    private func random(_ words: Int, key: UInt64) -> Tensor {
        randomTensor([words * perWord], key: key).cast(to: type)
    }

    /// Panels full of words that `body` writes to, as numbers.
    private func words(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) -> [Float] {
        let words = Tensor.zeros([count * perWord], type)
        body(words.bytes.assumingMemoryBound(to: Float.self))
        return words.cast(to: .float32).array
    }

    private var products: [(name: String, values: [Float])] {
        // Blocks of every height, and several of them; depths around those that share the cost of a loop.
        (Array(1...14) + [31]).flatMap { rows in
            [1, 3, 4, 5, 8, 11].flatMap { depth in
                // As the left matrix lies, and transposed.
                [(depth, 1), (1, rows)].flatMap { rowStride, depthStride in
                    var shape = kernels_product()
                    (shape.rows, shape.columns, shape.depth) = (rows, 64, depth)
                    (shape.a_row_stride, shape.a_depth_stride, shape.c_row_stride) = (rowStride, depthStride, 71)
                    return [false, true].flatMap {
                        shape.accumulate = $0
                        return product(shape)
                    }
                }
            }
        }
    }

    private func product(_ shape: kernels_product) -> [(name: String, values: [Float])] {
        var shape = shape
        let kernels = table.products.pointee
        let a = random(shape.rows * shape.depth, key: 1), b = random(shape.columns * shape.depth, key: 2)
        let sums = randomTensor([shape.rows * shape.c_row_stride], key: 3), rounded = sums.cast(to: type).copy()
        kernels.multiply(&shape, a.bytes, b.bytes, sums.bytes)
        kernels.multiply_rounded(&shape, a.bytes, b.bytes, rounded.bytes)
        let name =
            "\(shape.rows) rows \(shape.a_row_stride) apart, depth \(shape.depth)\(shape.accumulate ? ", accumulated" : "")"
        return [
            ("multiply of \(name)", sums.array), ("multiply_rounded of \(name)", rounded.cast(to: .float32).array),
        ]
    }

    private var panels: [(name: String, values: [Float])] {
        let kernels = table.panels.pointee, columns = 96, odd = 7, depth = 64
        let matrix = random(odd * columns, key: 4), weights = randomTensor([depth * columns], key: 5)
        let oddStride = (odd + 1) / perWord * 32 + 16, stride = depth / perWord * 32 + 16
        return [
            ("panels, pack", words(3 * oddStride) { kernels.pack(matrix.bytes, odd, columns, $0, oddStride) }),
            (
                "panels, pack_weights",
                words(3 * stride) { kernels.pack_weights(weights.pointer, depth, columns, $0, stride) }
            ),
            (
                "panels, pack_transposed",
                words(3 * stride) { kernels.pack_transposed(weights.pointer, depth, columns, $0, stride) }
            ),
        ]
    }

    private var winograd: [(name: String, values: [Float])] {
        let kernels = table.winograd.pointee, channels = 48
        let map = randomTensor([32 * channels], key: 6).cast(to: type)
        let pixels = (0..<32).map { UnsafeRawPointer?(map.bytes + $0 * channels * type.byteCount) }
        // Two neighbours along the depth in one and a half panels; weights have whole ones.
        let stride = 2 / perWord * 32, place = 2 * stride + 16, deep = 32 / perWord * 32, deepPlace = 3 * deep + 16
        let weights = randomTensor([96 * 9 * 32], key: 7), products = randomTensor([16 * channels], key: 8)
        let input = Tensor([16 * channels], type), taps = channels + 16
        let gradients = randomTensor([9 * taps], key: 9)
        kernels.input(pixels, channels, input.bytes, channels)
        kernels.weight_gradient(products.pointer, channels, channels, gradients.pointer, taps, true)
        return [
            ("input", input.cast(to: .float32).array),
            ("input_to_panels", words(16 * place) { kernels.input_to_panels(pixels, channels, $0, place, stride) }),
            (
                "gradient_to_panels",
                words(16 * place) { kernels.gradient_to_panels(pixels, channels, $0, place, stride) }
            ),
            ("output", output(products, channels, accumulate: false)),
            ("output, accumulated", output(products, channels, accumulate: true)),
            (
                "pack_weights",
                words(16 * place) { kernels.pack_weights(weights.pointer, 64, 9 * 64, 48, $0, place, stride) }
            ),
            (
                "pack_transposed",
                words(16 * deepPlace) {
                    kernels.pack_transposed(weights.pointer, 32, 9 * 32, 32, 96, $0, deepPlace, deep)
                }
            ),
            ("weight_gradient", gradients.array),
        ]
    }

    /// Of a tile at the right edge of a map.
    private func output(_ products: Tensor, _ channels: Int, accumulate: Bool) -> [Float] {
        let tile = randomTensor([4 * channels], key: 10).cast(to: type).copy()
        let pixels = (0..<4).map {
            $0 % 2 == 0 ? UnsafeMutableRawPointer?(tile.bytes + $0 * channels * type.byteCount) : nil
        }
        table.winograd.pointee.output(products.pointer, channels, channels, pixels, accumulate)
        return tile.cast(to: .float32).array
    }
}
