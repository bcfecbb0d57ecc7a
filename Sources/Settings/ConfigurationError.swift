/// Everything that is wrong with a configuration, all at once.
package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    package struct Problem: Sendable, Equatable, CustomStringConvertible {
        /// `file:line:column`, the `--set` argument, or the key.
        package let place: String
        package let message: String
        /// What to do about it.
        package let remedy: String

        package init(_ place: String, _ message: String, remedy: String) {
            self.place = place
            self.message = message
            self.remedy = remedy
        }

        package var description: String { "\(place): \(message)\n  \(remedy)" }
    }

    package let problems: [Problem]

    package init(_ problems: [Problem]) { self.problems = problems }

    package var description: String { problems.map(\.description).joined(separator: "\n") }
}
