/// Everything that is wrong with a configuration, all at once.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    public struct Problem: Sendable, Equatable, CustomStringConvertible {
        /// `file:line:column`, the `--set` argument, or the key.
        public let place: String
        public let message: String
        /// What to do about it.
        public let remedy: String

        public init(_ place: String, _ message: String, remedy: String) {
            self.place = place
            self.message = message
            self.remedy = remedy
        }

        public var description: String { "\(place): \(message)\n  \(remedy)" }
    }

    public let problems: [Problem]

    public init(_ problems: [Problem]) { self.problems = problems }

    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
