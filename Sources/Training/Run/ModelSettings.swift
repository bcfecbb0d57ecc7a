import MessagePassing
import PixelLearning
import TensorCore

extension RunConfiguration {
    /// The part of the configuration that shapes the model.
    var pixProSettings: PixProSettings {
        var settings = PixProSettings()
        settings.architecture = model.architecture
        settings.projectorWidth = model.projectorWidth
        settings.transformLayers = method.transformLayers
        settings.gamma = method.gamma
        settings.clamp = method.clamp
        settings.threshold = method.threshold
        settings.dialect = method.dialect
        return settings
    }

    /// What decides which tensors a checkpoint has.
    var architectureFacts: [String: String] {
        [
            "architecture": model.architecture.rawValue, "projectorWidth": "\(model.projectorWidth)",
            "transformLayers": "\(method.transformLayers)", "method": method.name.rawValue,
            "dialect": method.dialect.rawValue,
        ]
    }
}

extension RunConfiguration.Precision {
    /// What maps are stored as; `auto` takes bfloat16 where every rank's processor multiplies it fast. Collective.
    func elementType(on communicator: any Collective) throws -> ElementType {
        switch self {
        case .float32: return .float32
        case .bfloat16: return .bfloat16
        case .auto:
            let slowest = try communicator.minimum([Int64(EngineList.multipliesBFloat16 ? 1 : 0)])[0]
            return slowest == 1 ? .bfloat16 : .float32
        }
    }
}
