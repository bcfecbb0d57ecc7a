extension Tensor {
    /// Maps [N, H, W, Cᵢ] of one size and type beside each other: [N, H, W, Σ Cᵢ].
    public static func joined(_ maps: [Tensor]) -> Tensor {
        let first = maps[0], channels = maps.map { $0.shape[3] }
        precondition(
            maps.allSatisfy {
                $0.shape.prefix(3) == first.shape.prefix(3) && $0.elementType == first.elementType
            }, "maps of different sizes or types beside each other: \(maps.map { ($0.shape, $0.elementType) })")
        let result = Tensor(first.shape.prefix(3) + [channels.reduce(0, +)], first.elementType)
        var start = 0
        for (map, count) in zip(maps, channels) {
            copyChannels(map, from: 0, into: result, at: start, count: count)
            start += count
        }
        return result
    }

    /// Some channels of [N, H, W, C].
    public func channels(_ range: Range<Int>) -> Tensor {
        precondition(0 <= range.lowerBound && range.upperBound <= shape[3], "channels \(range) of \(shape)")
        let result = Tensor(shape.prefix(3) + [range.count], elementType)
        copyChannels(self, from: range.lowerBound, into: result, at: 0, count: range.count)
        return result
    }
}

/// Copies `count` channels of each pixel from one map to another of the same size.
private func copyChannels(_ source: Tensor, from: Int, into target: Tensor, at: Int, count: Int) {
    let size = source.elementType.byteCount, sourcePixel = source.shape[3] * size, targetPixel = target.shape[3] * size
    // SAFETY: the callers have checked that both maps have these channels, and as many pixels.
    let input = source.bytes + from * size, output = target.bytes + at * size
    parallelFor(source.count / source.shape[3]) { _, pixels in
        for pixel in pixels {
            (output + pixel * targetPixel).copyMemory(from: input + pixel * sourcePixel, byteCount: count * size)
        }
    }
}
