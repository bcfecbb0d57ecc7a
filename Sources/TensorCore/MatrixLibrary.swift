import COpenBLAS
import Glibc

/// The matrix library: what it is, one thread for each call, and kernels that suit the processor.
public enum MatrixLibrary {
    /// Makes OpenBLAS ready; to be called first of all in a program, because it may start the program anew.
    ///
    /// OpenBLAS picks its kernels while it is loaded, and releases older than a processor pick badly: 0.3.21 takes
    /// Emerald Rapids for a Pentium 4 (a third of the speed) and Zen 4 for Cooper Lake. Only its environment can tell it
    /// better, so the program replaces itself once with `OPENBLAS_CORETYPE` set. A user's own choice is left alone.
    public static func prepare() {
        if let kernels = betterKernels, setenv(coreTypeVariable, kernels, 0) == 0 {
            execv("/proc/self/exe", CommandLine.unsafeArgv)
            // Where that fails the slower kernels are as right as the faster ones, and `pixpro doctor` shows them.
            unsetenv(coreTypeVariable)
        }
        // Kernels of this program split work over their own threads; a library that did so too would oversubscribe.
        openblas_set_num_threads(1)
    }

    private static let coreTypeVariable = "OPENBLAS_CORETYPE"

    /// For example `OpenBLAS 0.3.21 … SkylakeX`.
    public static var summary: String {
        String(cString: openblas_get_config()) + " (kernels: " + chosenKernels + ")"
    }

    private static var chosenKernels: String { String(cString: openblas_get_corename()) }

    /// The kernels to ask for instead of the chosen ones; nil where these suit or the environment names some.
    private static var betterKernels: String? {
        guard getenv(coreTypeVariable) == nil, let suited = suitedKernels else { return nil }
        return chosenKernels.uppercased() == suited ? nil : suited
    }

    /// The fastest kernels for the processor's vector instructions that every OpenBLAS since 0.3.0 has.
    private static var suitedKernels: String? {
        #if arch(x86_64)
            if Processor.has(["avx512f", "avx512dq", "avx512bw", "avx512vl"]) { return "SKYLAKEX" }
            if Processor.has(["avx2", "fma"]) { return Processor.isAMD ? "ZEN" : "HASWELL" }
        #endif
        return nil
    }
}
