import Files
package import SystemPackage

/// Where a run's directory is, by which a copy of it is known: of a run that trains in a copy, what the first one has in the
/// memory of its hosts is no past.
package struct RunPlace: Codable, Sendable, Equatable {
    package var path: String
    /// Its number in its file system; nil where that cannot be told.
    package var number: UInt?

    package init(of directory: FilePath) {
        path = FileSystem.canonical(FileSystem.absolute(directory)).text
        number = FileIdentity(of: directory)?.number
    }

    /// Whether `other` is neither at the same path nor the same directory: one that was moved has its number, and one whose
    /// file system gives new numbers has its path.
    package func isCopied(to other: RunPlace) -> Bool {
        guard let number, let its = other.number else { return false }
        return path != other.path && number != its
    }
}
