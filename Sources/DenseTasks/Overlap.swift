/// Pictures that are scored and also trained on: a score of what was learned by heart says little.
struct Overlap {
    private let seen, scored: Int

    /// Of pictures by the names that people are shown.
    init(trained: some Sequence<String>, scored: some Collection<String>) {
        let trained = Set(trained)
        (seen, self.scored) = (scored.count { trained.contains($0) }, scored.count)
    }

    /// Nil where there is none.
    var note: String? {
        seen == 0 ? nil : "\(seen) of the \(scored) pictures to be scored are also trained on"
    }
}
