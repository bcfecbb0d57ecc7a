/// Which tensors of a checkpoint a file for others holds, and what they are called there.
package struct ExportMap: Sendable {
    /// What a user calls it: `online`.
    package let name: String
    /// The name in the file of a tensor of the checkpoint; nil for what is left out.
    package let fileName: @Sendable (_ name: String) -> String?

    package init(name: String, fileName: @escaping @Sendable (_ name: String) -> String?) {
        (self.name, self.fileName) = (name, fileName)
    }

    /// Takes the tensors whose names begin with `prefix`, without it.
    package init(name: String, withoutPrefix prefix: String) {
        self.init(name: name) { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : nil }
    }
}
