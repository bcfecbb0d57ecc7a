import ImagePipeline

/// Pictures that are scored and also trained on: a score of what was learned by heart says little.
struct Overlap {
    private let seen, scored: Int

    /// Of pictures by where they lie.
    init(trained: ImageIndex, scored: ImageIndex) {
        let trained = Set(trained.places)
        (seen, self.scored) = (scored.places.count { trained.contains($0) }, scored.count)
    }

    /// Nil where there is none.
    var note: String? {
        seen == 0 ? nil : "\(seen) of the \(scored) pictures to be scored are also trained on"
    }
}
