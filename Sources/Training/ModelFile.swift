import Checkpointing
import NeuralNetwork
import PixelLearning
import TensorCore

/// A model's weights and statistics as named tensors of a file: what checkpoints, references and exports share.
public enum ModelFile {
    /// Copies of all tensors of `state`, in files' layout, each name behind `prefix`.
    public static func tensors(of state: ModelState, prefix: String = "", strippingPrefix strip: String = "")
        -> [NamedTensor]
    {
        StateDictionary(state, strippingPrefix: strip).entries.map {
            NamedTensor(name: prefix + $0.name, tensor: $0.read())
        }
    }

    /// The batch counters of every normalisation layer (`num_batches_tracked`, scalars).
    public static func counters(of state: ModelState, strippingPrefix strip: String = "") -> [NamedTensor] {
        StateDictionary(state, strippingPrefix: strip).counters.map {
            NamedTensor(name: $0.name, scalar: Int64($0.statistics.batchesTracked))
        }
    }

    /// Fills `state` from the tensors that `read` finds under `prefix` and each entry's name.
    ///
    /// A missing tensor is `read`'s error; a wrong shape is thrown with both shapes.
    public static func load(
        _ state: ModelState, prefix: String = "", read: (String) throws -> Tensor
    ) throws {
        for entry in StateDictionary(state).entries {
            let tensor = try read(prefix + entry.name)
            guard tensor.shape == entry.shape else {
                throw ModelFileError(
                    description: "'\(prefix + entry.name)' is \(tensor.shape) in the file, but this model has "
                        + "\(entry.shape): it belongs to another architecture or projector width")
            }
            entry.write(tensor)
        }
    }
}

public struct ModelFileError: Error, CustomStringConvertible {
    public let description: String
}
