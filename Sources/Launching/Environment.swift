import Files
import Glibc
import SystemPackage

/// What this process was started with, as texts of its bytes.
enum Environment {
    static func value(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = FilePath.text(of: Array(UnsafeRawBufferPointer(start: value, count: strlen(value))))
        return text.isEmpty ? nil : text
    }

    /// The variables that name hosts.
    static var all: [String: String] {
        let names = [
            "SLURM_JOB_ID", "SLURM_JOB_NODELIST", "SLURM_NTASKS_PER_NODE", "PBS_NODEFILE",
            "OMPI_MCA_orte_default_hostfile", "PRTE_MCA_prte_default_hostfile",
        ]
        return Dictionary(uniqueKeysWithValues: names.compactMap { name in value(name).map { (name, $0) } })
    }

    /// What Open MPI is told to reach hosts by; in cluster/run an agent of its own.
    static var agent: String? { value("OMPI_MCA_plm_rsh_agent") ?? value("PRTE_MCA_plm_ssh_agent") }

    /// Open MPI refuses to run as root, which is how containers run, unless told twice.
    static var forMPI: [String: String] {
        geteuid() == 0 ? ["OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"] : [:]
    }

    static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        return FilePath(platformString: name).text
    }

    /// The file of this program.
    static var program: FilePath {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        precondition(readlink("/proc/self/exe", &buffer, Int(PATH_MAX)) > 0, "/proc is not mounted")
        return FilePath(platformString: buffer)
    }
}
