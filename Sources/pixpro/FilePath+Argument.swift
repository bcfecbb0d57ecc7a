public import ArgumentParser
import Files
import Glibc
public import SystemPackage

/// Arguments keep their bytes: Swift's own list of them replaces what is no UTF-8, and such names could not be opened.
// No other module of the program could declare it: neither package knows the other.
// swift-format-ignore: AvoidRetroactiveConformances
extension FilePath: @retroactive ExpressibleByArgument {
    /// What this process was given, each as `FilePath.text`.
    static var argumentTexts: [String] {
        CommandLine.unsafeArgv.advanced(by: 1).texts(count: Int(CommandLine.argc) - 1)
    }

    public init?(argument: String) {
        guard !argument.isEmpty else { return nil }
        self.init(text: argument)
    }

    public var defaultValueDescription: String { shown }
}

extension UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> {
    fileprivate func texts(count: Int) -> [String] {
        UnsafeBufferPointer(start: self, count: Swift.max(count, 0)).compactMap { argument in
            argument.map {
                FilePath.text(of: UnsafeBufferPointer(start: $0, count: strlen($0)).map(UInt8.init(bitPattern:)))
            }
        }
    }
}
