import CMPI
import Files
import Glibc
import SystemPackage

/// Which MPI a library or an mpirun is, by its own words.
package struct MPIRelease: Sendable, Equatable, CustomStringConvertible {
    package enum Maker: String, Sendable {
        case openMPI = "Open MPI"
        case mpich = "MPICH"
        case intel = "Intel MPI"

        /// What builds this program with it.
        package var buildCommand: String {
            let name =
                switch self {
                case .openMPI: "ompi-c"
                case .mpich: "mpich"
                case .intel: "impi"
                }
            return "PIXPRO_MPI=\(name) swift build -c release --product pixpro"
        }
    }

    package let maker: Maker
    /// For example `5.0.7`; empty where it does not say.
    package let version: String

    package init(_ maker: Maker, _ version: String = "") { (self.maker, self.version) = (maker, version) }

    /// Reads what `MPI_Get_library_version` or `mpirun --version` says; nil for any other MPI.
    package init?(words: String) {
        let number = #/\d+(\.\d+)+/#
        if words.contains("Intel(R) MPI") {
            maker = .intel
        } else if words.contains("Open MPI") {
            maker = .openMPI
        } else if words.contains("MPICH") || words.contains("HYDRA") {
            maker = .mpich
        } else {
            return nil
        }
        version = words.firstMatch(of: number).map { String($0.0) } ?? ""
    }

    /// The first number of the version; nil where it does not say.
    package var major: Int? { version.split(separator: ".").first.flatMap { Int($0) } }

    package var description: String { maker.rawValue + (version.isEmpty ? "" : " " + version) }

    /// Whether ranks that `launcher` starts find each other through this library: releases of one maker that begin with
    /// the same number belong together.
    package func fits(_ launcher: MPIRelease) -> Bool {
        guard maker == launcher.maker else {
            // Both have MPICH's launcher and its way of finding each other.
            return maker != .openMPI && launcher.maker != .openMPI
        }
        guard maker == .openMPI, let own = major, let other = launcher.major else { return true }
        return own == other
    }
}

/// The MPI library that this process has loaded.
package struct MPILibrary: Sendable, Equatable {
    /// nil for one that is not known.
    package let release: MPIRelease?
    /// Its own words, for example `Open MPI v4.1.4, package: Debian OpenMPI, …`.
    package let words: String
    /// The file that it was loaded from; empty where the loader does not tell.
    package let path: String

    package init(words: String, path: String) {
        (release, self.words, self.path) = (MPIRelease(words: words), words, path)
    }

    /// For people: `Open MPI 4.1.4 (/usr/lib/x86_64-linux-gnu/libmpi.so.40.30.4)`.
    package var name: String {
        let name = release?.description ?? String(words.split(whereSeparator: \.isNewline).first ?? "an unknown MPI")
        return path.isEmpty ? name : "\(name) (\(path))"
    }

    /// May be asked before MPI is started.
    package static let ofThisProcess = MPILibrary(
        words: MPIError.string(capacity: cmpi_max_library_version_string) { MPI_Get_library_version($0, $1) },
        path: loadedFile)

    /// The file whose memory holds MPI's functions; empty where the system does not tell.
    private static var loadedFile: String {
        guard let function = dlsym(nil, "MPI_Init_thread"), let maps = try? WholeFile.text(of: "/proc/self/maps") else {
            return ""
        }
        let address = UInt(bitPattern: function)
        for line in maps.split(separator: "\n") {
            // 7f2a00000000-7f2a00100000 r-xp 00040000 fe:00 1234   /usr/lib/libmpi.so.40.30.4
            let words = line.split(separator: " ", maxSplits: 5), ends = words[0].split(separator: "-")
            guard words.count == 6, let start = UInt(ends[0], radix: 16), let end = UInt(ends[1], radix: 16) else {
                continue
            }
            if (start..<end).contains(address) { return String(words[5].drop { $0 == " " }) }
        }
        return ""
    }
}
