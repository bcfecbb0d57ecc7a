/// Reads a count of a command line; for the `transform` of an option.
///
/// - Throws: an error that names the range, for text that is no whole number in it.
package func wholeNumber(in range: ClosedRange<Int>) -> @Sendable (String) throws -> Int {
    { text in
        guard let number = Int(text), range.contains(number) else { throw CountError(range: range) }
        return number
    }
}

/// A count that is out of its range.
private struct CountError: Error, CustomStringConvertible {
    let range: ClosedRange<Int>
    var description: String { "it must be a whole number from \(range.lowerBound) to \(range.upperBound)" }
}
