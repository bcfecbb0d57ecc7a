import Checkpointing
import Files

/// A record of a TensorBoard event file: a protocol buffer of TensorFlow's `Event` message, with its framing.
///
/// Field numbers are those of tensorflow's event.proto, summary.proto and tensor.proto.
package struct TensorBoardEvent: Sendable {
    /// The `Event` message.
    private var message = ProtocolBuffer()

    private init(wallTime: Double, step: Int) {
        message.double(1, wallTime)
        if step != 0 { message.integer(2, step) }
    }

    /// The first record of every file.
    package static func fileVersion(wallTime: Double) -> TensorBoardEvent {
        var event = TensorBoardEvent(wallTime: wallTime, step: 0)
        event.message.text(3, "brain.Event:2")
        return event
    }

    /// Tells readers to forget what an earlier file has from this step on.
    package static func sessionStart(step: Int, wallTime: Double) -> TensorBoardEvent {
        var event = TensorBoardEvent(wallTime: wallTime, step: step)
        event.message.message(7) { $0.integer(1, 1) }
        return event
    }

    /// Several curves' values at one step.
    package static func scalars(_ values: [(tag: String, value: Double)], step: Int, wallTime: Double)
        -> TensorBoardEvent
    {
        var event = TensorBoardEvent(wallTime: wallTime, step: step)
        event.message.message(5) { summary in
            for (tag, value) in values {
                summary.message(1) {
                    $0.text(1, tag)
                    $0.float(2, Float(value))
                }
            }
        }
        return event
    }

    /// Text that TensorBoard renders as Markdown.
    package static func text(_ tag: String, _ markdown: String, step: Int, wallTime: Double) -> TensorBoardEvent {
        var event = TensorBoardEvent(wallTime: wallTime, step: step)
        event.message.message(5) { summary in
            summary.message(1) { value in
                value.text(1, tag)
                value.message(9) { metadata in
                    metadata.message(1) { $0.text(1, "text") }
                    metadata.integer(4, 2)  // a tensor
                }
                value.message(8) { tensor in
                    tensor.integer(1, 7)  // of strings
                    tensor.message(2) { shape in shape.message(2) { $0.integer(1, 1) } }
                    tensor.text(8, markdown)
                }
            }
        }
        return event
    }

    /// An RGB picture, encoded as PNG.
    package static func image(
        _ tag: String, png: [UInt8], width: Int, height: Int, step: Int, wallTime: Double
    ) -> TensorBoardEvent {
        var event = TensorBoardEvent(wallTime: wallTime, step: step)
        event.message.message(5) { summary in
            summary.message(1) { value in
                value.text(1, tag)
                value.message(4) { image in
                    image.integer(1, height)
                    image.integer(2, width)
                    image.integer(3, 3)
                    image.bytes(4, png)
                }
            }
        }
        return event
    }

    /// Length, its masked checksum, message, its masked checksum: TensorFlow's record format, little-endian.
    package var record: [UInt8] {
        let length = littleEndian(UInt64(message.bytes.count))
        return length + littleEndian(masked(length)) + message.bytes + littleEndian(masked(message.bytes))
    }

    private func masked(_ bytes: [UInt8]) -> UInt32 {
        let checksum = CRC32C.of(bytes).value
        return (checksum >> 15 | checksum << 17) &+ 0xa282_ead8
    }
}

private func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
}
