package import MessagePassing
package import TensorCore

extension RunConfiguration.Precision {
    /// What maps are stored as; `auto` takes bfloat16 where every rank's processor multiplies it fast. Collective.
    package func elementType(on communicator: any Collective) throws -> ElementType {
        switch self {
        case .float32: return .float32
        case .bfloat16: return .bfloat16
        case .auto:
            let slowest = try communicator.minimum([Int64(EngineList.multipliesBFloat16 ? 1 : 0)])[0]
            return slowest == 1 ? .bfloat16 : .float32
        }
    }
}
