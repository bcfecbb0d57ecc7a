import Drawing
import Foundation

/// An uncompressed PNG, to look at what a test draws: set PIXPRO_PICTURES to a folder and run the tests.
func savePicture(_ canvas: Canvas, _ name: String) throws {
    guard let folder = ProcessInfo.processInfo.environment["PIXPRO_PICTURES"] else { return }
    var raw: [UInt8] = []
    for row in 0..<canvas.height {
        raw.append(0)
        raw += canvas.pixels[row * canvas.width * 3..<(row + 1) * canvas.width * 3]
    }
    var stream: [UInt8] = [0x78, 0x01]
    for start in stride(from: 0, to: raw.count, by: 65535) {
        let block = raw[start..<min(start + 65535, raw.count)]
        let size = UInt16(block.count)
        stream.append(start + 65535 >= raw.count ? 1 : 0)
        stream += [UInt8(size & 255), UInt8(size >> 8), UInt8(~size & 255), UInt8(~size >> 8)]
        stream += block
    }
    var (a, b): (UInt32, UInt32) = (1, 0)
    for byte in raw {
        a = (a + UInt32(byte)) % 65521
        b = (b + a) % 65521
    }
    stream += bigEndian(b << 16 | a)
    let header = bigEndian(UInt32(canvas.width)) + bigEndian(UInt32(canvas.height)) + [8, 2, 0, 0, 0]
    let png: [UInt8] =
        [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + chunk("IHDR", header) + chunk("IDAT", stream)
        + chunk("IEND", [])
    try Data(png).write(to: URL(filePath: folder).appending(path: name + ".png"))
}

private func bigEndian(_ value: UInt32) -> [UInt8] {
    [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
}

private func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
    let body = Array(name.utf8) + content
    var crc = ~UInt32(0)
    for byte in body {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
    }
    return bigEndian(UInt32(content.count)) + body + bigEndian(~crc)
}
