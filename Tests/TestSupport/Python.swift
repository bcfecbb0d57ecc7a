import Foundation

/// A Python beside, which the program itself never needs: other libraries' side of a test.
package enum Python {
    /// The one that PIXPRO_PYTHON names or PATH finds, if it has these modules: "torch, timm".
    package static func interpreter(importing modules: String) -> String? {
        for name in [ProcessInfo.processInfo.environment["PIXPRO_PYTHON"], "python3"].compactMap({ $0 }) {
            do {
                if try runProcess("/usr/bin/env", [name, "-c", "import \(modules)"], timeLimit: 120).status == 0 {
                    return name
                }
            } catch {
                continue
            }
        }
        return nil
    }
}
