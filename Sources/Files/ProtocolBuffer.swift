/// A message in the wire format of Protocol Buffers, as far as TensorBoard's events and ONNX's models need it.
///
/// Format: https://protobuf.dev/programming-guides/encoding. Fields stand in the order in which they are added; repeated
/// ones are added again and again.
package struct ProtocolBuffer: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// Negative numbers take ten bytes, as the format has it.
    package mutating func integer(_ field: Int, _ value: Int) {
        tag(field, .variable)
        variable(UInt64(bitPattern: Int64(value)))
    }

    package mutating func double(_ field: Int, _ value: Double) {
        tag(field, .eightBytes)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
    }

    package mutating func float(_ field: Int, _ value: Float) {
        tag(field, .fourBytes)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
    }

    package mutating func text(_ field: Int, _ text: String) { bytes(field, Array(text.utf8)) }

    package mutating func bytes(_ field: Int, _ content: [UInt8]) {
        content.withUnsafeBytes { bytes(field, $0) }
    }

    package mutating func bytes(_ field: Int, _ content: UnsafeRawBufferPointer) {
        tag(field, .counted)
        variable(UInt64(content.count))
        bytes += content
    }

    package mutating func message(_ field: Int, _ content: ProtocolBuffer) { bytes(field, content.bytes) }

    package mutating func message(_ field: Int, _ fill: (inout ProtocolBuffer) -> Void) {
        var inner = ProtocolBuffer()
        fill(&inner)
        message(field, inner)
    }

    private enum WireType: Int {
        case variable, eightBytes, counted
        case fourBytes = 5
    }

    private mutating func tag(_ field: Int, _ type: WireType) { variable(UInt64(field << 3 | type.rawValue)) }

    /// Seven bits a byte, lowest first.
    private mutating func variable(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
