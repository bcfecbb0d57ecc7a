package import TensorCore

/// Maps [N, H, W, Cᵢ] beside each other: [N, H, W, Σ Cᵢ].
package func joinChannels(_ maps: [Variable], _ pass: Pass) -> Variable {
    pass.output(Tensor.joined(maps.map(\.value)), of: maps) { dy in
        var start = 0
        for map in maps {
            let end = start + map.value.shape[3]
            if map.needsGradient { map.receive(dy.channels(start..<end)) }
            start = end
        }
    }
}

/// A window of each map [N, H, W, C]: [N, height, width, C].
package func crop(
    _ x: Variable, at corners: [(top: Int, left: Int)], height: Int, width: Int, _ pass: Pass
) -> Variable {
    pass.output(x.value.cropped(at: corners, height: height, width: width), of: [x]) { dy in
        x.receive(dy.placed(at: corners, height: x.value.shape[1], width: x.value.shape[2]))
    }
}

/// x [N, H, W, C] with a mirrored border: [N, H + before + after, W + before + after, C].
package func mirrorBorder(_ x: Variable, _ border: ReflectedBorder, _ pass: Pass) -> Variable {
    pass.output(x.value.bordered(border), of: [x]) { dy in x.receive(dy.borderedGradient(border)) }
}

/// x [N, H, W, C] of float32 → [N, C · H · W], channel by channel, as PyTorch flattens its maps.
package func flattenChannels(_ x: Variable, _ pass: Pass) -> Variable {
    let shape = x.value.shape, pixels = shape[1] * shape[2]
    let flat = x.value.permutedInner(outer: shape[0], rows: pixels, columns: shape[3])
    return pass.output(flat.reshaped([shape[0], shape[3] * pixels]), of: [x]) { dy in
        x.receive(dy.permutedInner(outer: shape[0], rows: shape[3], columns: pixels))
    }
}

/// The opposite of `flattenChannels`: x [N, C · H · W] → [N, H, W, C], of `shape`.
package func unflattenChannels(_ x: Variable, _ shape: [Int], _ pass: Pass) -> Variable {
    let pixels = shape[1] * shape[2]
    let maps = x.value.permutedInner(outer: shape[0], rows: shape[3], columns: pixels).reshaped(shape)
    return pass.output(maps, of: [x]) { dy in
        x.receive(dy.permutedInner(outer: shape[0], rows: pixels, columns: shape[3]))
    }
}
