/// A tensor of double precision for plain twins: loops that anyone can check, channels last.
struct Grid: Sendable {
    let shape: [Int]
    var numbers: [Double]

    var rows: [[Double]] {
        let width = shape.last!
        return stride(from: 0, to: numbers.count, by: width).map { Array(numbers[$0..<$0 + width]) }
    }

    private func at(_ image: Int, _ row: Int, _ column: Int, _ channel: Int) -> Double? {
        guard (0..<shape[1]).contains(row), (0..<shape[2]).contains(column) else { return nil }
        return numbers[((image * shape[1] + row) * shape[2] + column) * shape[3] + channel]
    }

    /// `weights` [outputs, kernel, kernel, inputs].
    func convolved(
        _ weights: [Double], bias: [Double]?, outputs: Int, kernel: Int, stride: Int, padding: Int, dilation: Int
    ) -> Grid {
        let inputs = shape[3], span = dilation * (kernel - 1) + 1
        return windows(span: span, stride: stride, padding: padding, channels: outputs) { image, top, left, output in
            var sum = bias?[output] ?? 0
            for y in 0..<kernel {
                for x in 0..<kernel {
                    for input in 0..<inputs {
                        let value = at(image, top + y * dilation, left + x * dilation, input) ?? 0
                        sum += value * weights[((output * kernel + y) * kernel + x) * inputs + input]
                    }
                }
            }
            return sum
        }
    }

    /// With zeros, or mirrored about its outermost pixels, around the map.
    func bordered(before: Int, after: Int, mirrored: Bool) -> Grid {
        let (height, width) = (shape[1] + before + after, shape[2] + before + after)
        func source(_ place: Int, _ count: Int) -> Int {
            let from = place - before
            return mirrored ? (from < 0 ? -from : from >= count ? 2 * (count - 1) - from : from) : from
        }
        var result: [Double] = []
        for image in 0..<shape[0] {
            for row in 0..<height {
                for column in 0..<width {
                    for channel in 0..<shape[3] {
                        result.append(at(image, source(row, shape[1]), source(column, shape[2]), channel) ?? 0)
                    }
                }
            }
        }
        return Grid(shape: [shape[0], height, width, shape[3]], numbers: result)
    }

    /// The gradient for maps of height × width of a convolution without dilation, self being its output's.
    func convolutionGradient(
        _ weights: [Double], inputs: Int, kernel: Int, stride: Int, padding: Int, height: Int, width: Int
    ) -> Grid {
        var result = [Double](repeating: 0, count: shape[0] * height * width * inputs)
        for (place, value) in numbers.enumerated() {
            let output = place % shape[3], column = place / shape[3] % shape[2]
            let row = place / (shape[3] * shape[2]) % shape[1], image = place / (shape[3] * shape[2] * shape[1])
            for y in 0..<kernel {
                for x in 0..<kernel {
                    let (toY, toX) = (row * stride - padding + y, column * stride - padding + x)
                    guard (0..<height).contains(toY), (0..<width).contains(toX) else { continue }
                    for input in 0..<inputs {
                        result[((image * height + toY) * width + toX) * inputs + input] +=
                            value * weights[((output * kernel + y) * kernel + x) * inputs + input]
                    }
                }
            }
        }
        return Grid(shape: [shape[0], height, width, inputs], numbers: result)
    }

    /// The maximum over windows; what lies outside does not count.
    func pooled(kernel: Int, stride: Int, padding: Int) -> Grid {
        windows(span: kernel, stride: stride, padding: padding, channels: shape[3]) { image, top, left, channel in
            var most = -Double.infinity
            for y in 0..<kernel {
                for x in 0..<kernel { most = max(most, at(image, top + y, left + x, channel) ?? most) }
            }
            return most
        }
    }

    private func windows(
        span: Int, stride: Int, padding: Int, channels: Int,
        _ value: (_ image: Int, _ top: Int, _ left: Int, _ channel: Int) -> Double
    ) -> Grid {
        let height = (shape[1] + 2 * padding - span) / stride + 1, width = (shape[2] + 2 * padding - span) / stride + 1
        var result: [Double] = []
        for image in 0..<shape[0] {
            for row in 0..<height {
                for column in 0..<width {
                    for channel in 0..<channels {
                        result.append(value(image, row * stride - padding, column * stride - padding, channel))
                    }
                }
            }
        }
        return Grid(shape: [shape[0], height, width, channels], numbers: result)
    }

    /// By the mean and biased variance of each channel, ε = 1e-5.
    func normalized(scale: [Double], shift: [Double]) -> Grid {
        let channels = shape.last!, count = Double(numbers.count / channels)
        var result = self
        for channel in 0..<channels {
            let places = stride(from: channel, to: numbers.count, by: channels)
            let mean = places.reduce(0) { $0 + numbers[$1] } / count
            let variance = places.reduce(0) { $0 + (numbers[$1] - mean) * (numbers[$1] - mean) } / count
            for place in places {
                result.numbers[place] =
                    (numbers[place] - mean) / (variance + 1e-5).squareRoot() * scale[channel] + shift[channel]
            }
        }
        return result
    }
}
