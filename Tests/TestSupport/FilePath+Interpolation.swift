public import SystemPackage

/// Lets tests write `"\(folder)/name"` where a path is wanted.
// swift-format-ignore: AvoidRetroactiveConformances
extension FilePath: @retroactive ExpressibleByStringInterpolation {}
