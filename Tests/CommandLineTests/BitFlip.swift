import Foundation

/// A bit that flips in the memory of a running process, as a cosmic ray would have it: nothing in the program helps.
enum BitFlip {
    /// Flips the lowest bit of the middle byte of `pattern` wherever the process holds it in memory that it may write;
    /// returns in how many places.
    static func flip(_ pattern: [UInt8], in process: Int32) throws -> Int {
        let memory = open("/proc/\(process)/mem", O_RDWR)
        guard memory >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EPERM) }
        defer { close(memory) }
        var count = 0
        for region in try regions(of: process) {
            var bytes = [UInt8](repeating: 0, count: region.count)
            // A region that is gone since, or that the kernel keeps to itself, reads short.
            let got = pread(memory, &bytes, bytes.count, off_t(region.lowerBound))
            for offset in places(of: pattern, in: bytes.prefix(max(got, 0))) {
                let middle = offset + pattern.count / 2
                var byte = bytes[middle] ^ 1
                guard pwrite(memory, &byte, 1, off_t(region.lowerBound + middle)) == 1 else {
                    throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
                }
                count += 1
            }
        }
        return count
    }

    /// Private writable memory that is of no file, from /proc/PID/maps: `7f10-7f20 rw-p 00000000 00:00 0 [heap]`.
    ///
    /// The process maps and unmaps meanwhile: a line that was read in two halves is of no region.
    private static func regions(of process: Int32) throws -> [Range<Int>] {
        try text(of: "/proc/\(process)/maps").split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            let ends = fields[0].split(separator: "-").compactMap { Int($0, radix: 16) }
            guard fields.count > 4, fields[1] == "rw-p", fields[4] == "0", ends.count == 2, ends[0] < ends[1] else {
                return nil
            }
            return ends[0]..<ends[1]
        }
    }

    /// All of a file that the kernel hands out a page at a time, of which Foundation reads the first.
    private static func text(of path: String) throws -> String {
        guard let file = fopen(path, "r") else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        defer { fclose(file) }
        var bytes: [UInt8] = [], page = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&page, 1, page.count, file), count > 0 { bytes += page[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Where `bytes` have `pattern`, at multiples of four, as numbers lie.
    private static func places(of pattern: [UInt8], in bytes: ArraySlice<UInt8>) -> [Int] {
        pattern.withUnsafeBytes { pattern in
            bytes.withUnsafeBytes { bytes in
                let first = pattern.loadUnaligned(as: UInt64.self)
                return stride(from: 0, to: bytes.count - pattern.count + 1, by: 4).filter {
                    bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self) == first
                        && memcmp(bytes.baseAddress! + $0, pattern.baseAddress!, pattern.count) == 0
                }
            }
        }
    }
}
