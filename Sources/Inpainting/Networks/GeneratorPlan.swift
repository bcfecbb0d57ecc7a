import TensorCore

/// The layers of the generator, in the order of computation.
struct GeneratorPlan {
    /// The first stage.
    let coarse: [ConvolutionPlan]
    /// The second stage's branch without attention, and around attention the layers before and after it.
    let dilated, matching, attended: [ConvolutionPlan]
    /// From both branches to colours.
    let decoder: [ConvolutionPlan]

    /// The number of the first layer of `attended`: it goes on where `matching` ends.
    static let firstAttended = 7

    init(_ settings: InpainterSettings) {
        let c = settings.channels, spread = [2, 4, 8, 16].map { ConvolutionPlan.dilated(4 * c, $0) },
            plain = [Int](repeating: 4 * c, count: 2).map(ConvolutionPlan.plain)
        coarse = Self.encoder([c, 2 * c, 2 * c, 4 * c, 4 * c, 4 * c]) + spread + plain + Self.colors(c)
        dilated = Self.encoder([c, c, 2 * c, 2 * c, 4 * c, 4 * c]) + spread
        var plans = Self.encoder([c, c, 2 * c, 4 * c, 4 * c, 4 * c])
        plans[5] = plans[5].activated(.rectifier)
        matching = plans
        attended = plain
        decoder = plain + Self.colors(c)
    }

    /// From the picture to a quarter of its size.
    private static func encoder(_ outputs: [Int]) -> [ConvolutionPlan] {
        [
            .wide(outputs[0]), .strided(outputs[1]), .plain(outputs[2]), .strided(outputs[3]), .plain(outputs[4]),
            .plain(outputs[5]),
        ]
    }

    /// From a quarter of the size back to colours.
    private static func colors(_ c: Int) -> [ConvolutionPlan] {
        [
            .enlarging(2 * c), .plain(2 * c), .enlarging(c), .plain(c / 2),
            ConvolutionPlan.plain(3).activated(.identity),
        ]
    }
}
