import Glibc
package import SystemPackage

/// Which file this is, whatever its paths.
package struct FileIdentity: Hashable, Sendable {
    private let device: UInt
    /// In its file system.
    package let number: UInt

    /// nil where there is nothing at the path.
    package init?(of path: FilePath) {
        var status = stat()
        guard path.withPlatformString({ stat($0, &status) }) == 0 else { return nil }
        (device, number) = (UInt(status.st_dev), UInt(status.st_ino))
    }

    /// The same for two processes only where they see one file of one machine, whatever they call the machine; nil where the
    /// system does not tell.
    package var amongMachines: String? {
        guard let boot = try? WholeFile.text(of: "/proc/sys/kernel/random/boot_id") else { return nil }
        return "\(boot) \(device) \(number)"
    }
}
