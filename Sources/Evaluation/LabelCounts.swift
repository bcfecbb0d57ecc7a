/// How many pixels of each class a set of labelled pictures has: what a segmentation score can tell anything about.
package struct LabelCounts: Sendable, Equatable {
    /// What the set is for: "training" or "validation".
    private let part: String
    private let void: Int?
    /// By class.
    private let pixels: [Int]
    /// Nil where they were not counted.
    private let voidPixels: Int?

    /// `ids` are the pixels of each label id, the first of them those of the classes.
    package init(part: String, ids: [Int], scheme: LabelScheme) {
        self.part = part
        void = scheme.void
        let pixels = (0..<scheme.classes).map { scheme.isClass[$0] && ids.indices.contains($0) ? ids[$0] : 0 }
        self.pixels = pixels
        voidPixels = scheme.void.flatMap { ids.indices.contains($0) ? ids[$0] : nil }
        absent = pixels.indices.filter { scheme.isClass[$0] && pixels[$0] == 0 }
    }

    /// The classes that no pixel has.
    package let absent: [Int]

    /// Throws unless two classes at least have a pixel: of less there is nothing to score.
    package func check() throws {
        let present = pixels.indices.filter { pixels[$0] > 0 }
        guard present.count < 2 else { return }
        let voids =
            void.map { id in voidPixels.map { "\($0) have the void id \(id)" } ?? "the void id is \(id)" }
            ?? "no id is void"
        let found =
            present.first.map { "all \(pixels[$0]) labelled pixels have the id \($0)" } ?? "no pixel has a class"
        throw EvaluationError(
            "the \(part) labels of the segmentation score tell nothing apart: \(found), and \(voids); the classes are the "
                + "ids 0 to \(pixels.count - 1): correct the labels, the number of classes or the void id")
    }

    /// What a reader of the score must know; nil where every class has a pixel.
    package var note: String? {
        guard !absent.isEmpty else { return nil }
        let listed = absent.prefix(20).map(String.init).joined(separator: ", ") + (absent.count > 20 ? ", …" : "")
        return "no pixel of the \(part) labels has class \(listed)"
    }
}
