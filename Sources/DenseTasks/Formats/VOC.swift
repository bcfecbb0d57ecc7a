package import Drawing

/// The classes of Pascal VOC's segmentation.
package enum VOC {
    package static let classNames = [
        "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
        "dining table", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa", "train", "tv monitor",
    ]

    /// The colour that VOC's palettes give an id: its bits 0 to 2, 3 to 5, … are the bits 7, 6, … of red, green and blue.
    package static func color(of id: UInt8) -> Color {
        var channels: [UInt8] = [0, 0, 0]
        for bit in 0..<8 where id >> UInt8(bit) & 1 == 1 { channels[bit % 3] |= 128 >> UInt8(bit / 3) }
        return Color(UInt32(channels[0]) << 16 | UInt32(channels[1]) << 8 | UInt32(channels[2]))
    }
}
