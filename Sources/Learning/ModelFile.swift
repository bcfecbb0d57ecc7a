package import NeuralNetwork
package import TensorCore

/// A model's weights and statistics from the named tensors of a file, which references and exports have in common.
package enum ModelFile {
    /// Fills `state` from the tensors that `read` finds under `prefix` and each entry's name.
    ///
    /// A missing tensor is `read`'s error; a wrong shape is thrown with both shapes.
    package static func load(_ state: ModelState, prefix: String = "", read: (String) throws -> Tensor) throws {
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

package struct ModelFileError: Error, CustomStringConvertible {
    package let description: String
}
