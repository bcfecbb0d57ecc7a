import Glibc

/// The memory of this machine.
package enum PhysicalMemory {
    /// What a machine counts as that does not tell: bytes.
    package static let assumed = 8 << 30

    /// Bytes, without regard to control groups.
    package static var byteCount: Int {
        byteCount(pages: sysconf(Int32(_SC_PHYS_PAGES)), pageSize: sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Of what sysconf(3) says, which is -1 where the system does not know.
    package static func byteCount(pages: Int, pageSize: Int) -> Int {
        let (bytes, isTooLarge) = pages.multipliedReportingOverflow(by: pageSize)
        return pages > 0 && pageSize > 0 && !isTooLarge ? bytes : assumed
    }
}
