package import SystemPackage

extension FilePath {
    /// The name without a root, `.` and `..`: what is written under it below a folder stays there, wherever the picture of
    /// this name lies.
    package var belowAnyFolder: FilePath { FilePath(root: nil, components.filter { $0.kind == .regular }) }
}
