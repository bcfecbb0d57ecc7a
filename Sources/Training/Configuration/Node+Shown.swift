import Files
import Settings
import Yams

extension Node {
    /// What was written in a configuration, as messages name it.
    var shown: String {
        switch self {
        case .scalar(let scalar) where isNull: scalar.string.isEmpty ? "empty" : "null"
        case .scalar(let scalar) where plainText == nil: "the text \"\(shownText(scalar.string))\""
        case .scalar(let scalar): "'\(scalar.string)'"
        case .sequence: "a list"
        case .mapping: "a section"
        case .alias: "an alias"
        }
    }
}
