extension RunConfiguration {
    /// Which reading of the method is trained: the published program's or the paper's.
    public enum Dialect: String, Sendable, CaseIterable {
        case official, paper

        /// The default of `model.projectorWidth`.
        public var projectorWidth: Int {
            switch self {
            case .official: 4096
            case .paper: 2048
            }
        }

        /// One point on which the two dialects differ.
        public struct Difference: Sendable {
            public let subject: String
            public let official: String
            public let paper: String
        }

        /// Every difference between the dialects; all other constants are the same.
        public static let differences = [
            Difference(
                subject: "projector width (default of model.projectorWidth)", official: "4096", paper: "2048"),
            Difference(
                subject: "values of the pixel propagation", official: "g(x) divided by its length",
                paper: "g(x) as it is"),
            Difference(
                subject: "distance of two cells", official: "divided by the larger cell diagonal of the two views",
                paper: "divided by the cell diagonal of the view whose pixels are predicted"),
            Difference(
                subject: "positive pair", official: "distance < threshold", paper: "distance <= threshold"),
            Difference(
                subject: "image pair without a positive", official: "counts as 0 in the mean",
                paper: "left out of the mean"),
            Difference(
                subject: "loss", official: "-2 cos per direction, sum in [-4, 4]",
                paper: "-cos per direction, sum in [-2, 2]"),
        ]
    }

    /// Gives the keys whose default depends on the dialect that default, except those in `given`.
    mutating func applyDialectDefaults(except given: Set<String>) {
        if !given.contains("model.projectorWidth") { model.projectorWidth = method.dialect.projectorWidth }
    }
}
