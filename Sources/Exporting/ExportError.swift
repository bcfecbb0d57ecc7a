/// A network cannot be written as it was asked for.
package struct ExportError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
