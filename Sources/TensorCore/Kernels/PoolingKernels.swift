import CKernels
import CVector

/// Some entries, and which tap of a window each stands for.
struct Window<Entry> {
    let entries: UnsafeMutablePointer<Entry>
    let taps: UnsafeMutablePointer<UInt8>
}

/// Maximum pooling of one pixel with so many channels, on the calling thread.
extension KernelElement {
    /// output [C] ← the greatest of the window's `count` pixels; winners [C] ← the taps of the first that are.
    static func pool(
        _ window: Window<UnsafeRawPointer?>, _ count: Int, channels: Int, into output: UnsafeMutablePointer<Self>,
        winners: UnsafeMutablePointer<UInt8>
    ) {
        if let kernels = pooling(channels: channels) {
            return kernels.pool(window.entries, window.taps, count, channels, output, winners)
        }
        forEachEight(channels) { channel, lanes in
            var best = SIMD8<Float>(repeating: -.infinity)
            var winner = SIMD8<Int32>()
            for i in 0..<count {
                let pixel = window.entries[i]!.assumingMemoryBound(to: Self.self)
                let value = load(pixel + channel, lanes: lanes)
                let better = value .> best
                best.replace(with: value, where: better)
                winner.replace(with: SIMD8(repeating: Int32(window.taps[i])), where: better)
            }
            store(best, output + channel, lanes: lanes)
            storeTaps(winner, winners + channel, lanes)
        }
    }

    /// target [C] ← the gradients of those of `count` windows that the pixel won as their taps.
    static func poolGradient(
        _ windows: Window<Int>, _ count: Int, channels: Int, gradient: UnsafePointer<Self>,
        winners: UnsafePointer<UInt8>, into target: UnsafeMutablePointer<Self>
    ) {
        if let kernels = pooling(channels: channels) {
            return kernels.gradient(windows.entries, windows.taps, count, channels, gradient, winners, target)
        }
        forEachEight(channels) { channel, lanes in
            var sum = SIMD8<Float>()
            for i in 0..<count {
                let at = windows.entries[i] * channels + channel
                sum += cvector_where_equal(
                    loadTaps(winners + at, lanes), Int32(windows.taps[i]), load(gradient + at, lanes: lanes))
            }
            store(sum, target + channel, lanes: lanes)
        }
    }
}

/// Up to eight taps; the other lanes are −1, which is none.
@inline(__always)
private func loadTaps(_ pointer: UnsafePointer<UInt8>, _ lanes: Int) -> SIMD8<Int32> {
    if lanes == 8 { return cvector_load_bytes(pointer) }
    var taps = SIMD8<Int32>(repeating: -1)
    for lane in 0..<lanes { taps[lane] = Int32(pointer[lane]) }
    return taps
}

@inline(__always)
private func storeTaps(_ taps: SIMD8<Int32>, _ pointer: UnsafeMutablePointer<UInt8>, _ lanes: Int) {
    if lanes == 8 { return cvector_store_bytes(taps, pointer) }
    for lane in 0..<lanes { pointer[lane] = UInt8(truncatingIfNeeded: taps[lane]) }
}
