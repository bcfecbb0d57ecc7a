extension Tensor {
    /// A window of each of N maps [N, H, W, C]: [N, height, width, C].
    public func cropped(at corners: [(top: Int, left: Int)], height: Int, width: Int) -> Tensor {
        let result = Tensor([shape[0], height, width, shape[3]], elementType)
        copyWindows(self, result, at: corners, intoWindows: true)
        return result
    }

    /// The adjoint of `cropped` for maps of H × W: windows in their places, zeros around them.
    public func placed(at corners: [(top: Int, left: Int)], height: Int, width: Int) -> Tensor {
        let result = Tensor.zeros([shape[0], height, width, shape[3]], elementType)
        copyWindows(result, self, at: corners, intoWindows: false)
        return result
    }
}

private func copyWindows(
    _ maps: Tensor, _ windows: Tensor, at corners: [(top: Int, left: Int)], intoWindows: Bool
) {
    let (height, width) = (windows.shape[1], windows.shape[2])
    precondition(
        corners.count == maps.shape[0]
            && corners.allSatisfy {
                $0.top >= 0 && $0.left >= 0 && $0.top + height <= maps.shape[1] && $0.left + width <= maps.shape[2]
            }, "windows of \(height) × \(width) at \(corners) in \(maps.shape)")
    let pixel = maps.shape[3] * maps.elementType.byteCount, mapWidth = maps.shape[2], mapHeight = maps.shape[1]
    // SAFETY: the windows lie within their maps, as was just checked.
    for (image, corner) in corners.enumerated() {
        for row in 0..<height {
            let outer = maps.bytes + ((image * mapHeight + corner.top + row) * mapWidth + corner.left) * pixel
            let inner = windows.bytes + (image * height + row) * width * pixel
            let (target, source) = intoWindows ? (inner, outer) : (outer, inner)
            target.copyMemory(from: source, byteCount: width * pixel)
        }
    }
}
