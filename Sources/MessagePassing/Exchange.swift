import CMPI

/// Moving plain values between ranks as bytes; all ranks of a job run on machines of one byte order.
extension Communicator {
    package func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws {
        guard size > 1, let base = bytes.baseAddress else { return }
        try forEachCall(bytes.count) { range in
            try collective("MPI_Bcast", count: range.count) {
                MPI_Bcast(base + range.lowerBound, Int32(range.count), cmpi_byte(), Int32(root), handle)
            }
        }
    }

    package func exchangeParts(_ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer) throws {
        try beginExchangeParts(sent, into: received).finish()
    }

    package func gatherParts(_ part: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer) throws {
        try beginGatherParts(part, into: all).finish()
    }

    /// The size of each of equal parts, as MPI counts.
    func partBytes(_ total: Int, _ other: Int, parts: Int) -> Int32 {
        precondition(
            total == other && total % parts == 0 && total / parts <= Int(Int32.max),
            "\(total) and \(other) bytes cannot be exchanged in \(parts) equal parts of 32-bit counts")
        return Int32(total / parts)
    }

    /// Hands `sent` to another rank, which hands back as many bytes at the same time. The log of collectives has no such call:
    /// not all ranks make it.
    package func swap(
        _ sent: UnsafeRawBufferPointer, with partner: Int, into received: UnsafeMutableRawBufferPointer
    ) throws {
        let count = partBytes(sent.count, received.count, parts: 1)
        try check(
            MPI_Sendrecv(
                sent.baseAddress, count, cmpi_byte(), Int32(partner), 0, received.baseAddress, count, cmpi_byte(),
                Int32(partner), 0, handle, cmpi_status_ignore()), "MPI_Sendrecv")
    }

    /// Gathers in rounds, because MPI's counts and displacements are 32-bit: each rank sends at most its share of
    /// `elementsPerCall` bytes per round. A `root` of nil stands for all ranks.
    package func exchange<Element: BitwiseCopyable>(_ values: [Element], root: Int?) throws -> [[Element]] {
        guard size > 1 else { return [values] }
        let stride = MemoryLayout<Element>.stride
        let counts = try allGatherCounts(Int64(values.count))
        let receives = root == nil || root == rank
        var result: [[Element]] = []
        if receives {
            for count in counts { result.append(unwritten(Int(count))) }
        }
        let share = max(elementsPerCall / size / stride, 1)
        for start in Swift.stride(from: 0, to: Int(counts.max()!), by: share) {
            let pieces = counts.map { max(0, min(Int($0) - start, share)) }
            let received = try values.withUnsafeBytes { bytes in
                let rest = bytes.dropFirst(start * stride)
                let mine = UnsafeRawBufferPointer(rebasing: rest.prefix(pieces[rank] * stride))
                return try exchangeRound(mine, pieces.map { Int32($0 * stride) }, root: root)
            }
            guard receives else { continue }
            var offset = 0
            for (sender, piece) in pieces.enumerated() where piece > 0 {
                result[sender].withUnsafeMutableBytes { target in
                    received.withUnsafeBytes {
                        UnsafeMutableRawBufferPointer(rebasing: target[(start * stride)...])
                            .copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + piece * stride]))
                    }
                }
                offset += piece * stride
            }
        }
        return result
    }

    /// One gather of `counts[rank]` bytes from each rank, laid out one after another.
    private func exchangeRound(_ mine: UnsafeRawBufferPointer, _ counts: [Int32], root: Int?) throws -> [UInt8] {
        var offsets: [Int32] = []
        var total: Int32 = 0
        for count in counts {
            offsets.append(total)
            total += count
        }
        var received = [UInt8](repeating: 0, count: root == nil || root == rank ? Int(total) : 0)
        try received.withUnsafeMutableBytes { target in
            if let root {
                try collective("MPI_Gatherv", count: mine.count, uneven: true) {
                    MPI_Gatherv(
                        mine.baseAddress, counts[rank], cmpi_byte(), target.baseAddress, counts, offsets, cmpi_byte(),
                        Int32(root), handle)
                }
            } else {
                try collective("MPI_Allgatherv", count: mine.count, uneven: true) {
                    MPI_Allgatherv(
                        mine.baseAddress, counts[rank], cmpi_byte(), target.baseAddress, counts, offsets, cmpi_byte(),
                        handle)
                }
            }
        }
        return received
    }

    /// Room for values that a message will bring.
    private func unwritten<Element: BitwiseCopyable>(_ count: Int) -> [Element] {
        Array(unsafeUninitializedCapacity: count) { _, initializedCount in initializedCount = count }
    }

    private func allGatherCounts(_ count: Int64) throws -> [Int64] {
        var mine = count
        var counts = [Int64](repeating: 0, count: size)
        try collective("MPI_Allgather", count: 1) {
            MPI_Allgather(&mine, 1, cmpi_int64(), &counts, 1, cmpi_int64(), handle)
        }
        return counts
    }
}
