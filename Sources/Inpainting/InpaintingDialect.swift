package import TensorCore

/// The two descriptions of the method that differ in detail: the published program and the article.
package enum InpaintingDialect: String, Sendable, CaseIterable {
    case published
    case paper

    /// What contextual attention does.
    package var attention: PatchAttention {
        switch self {
        case .published:
            PatchAttention(isCosine: false, propagatesScores: true, wraps: true, averagesByCount: false)
        case .paper: PatchAttention(isCosine: true, propagatesScores: false, wraps: false, averagesByCount: true)
        }
    }

    /// What the generator's convolutions see beyond the border.
    package var border: Border { self == .published ? .zeros : .mirrored }

    /// Base of the discount of errors within the hole.
    package var discountBase: Double { self == .published ? 0.9 : 0.99 }

    /// From where errors in a hole are discounted.
    package func discount(of form: HoleForm) -> Discount {
        self == .published && form == .rectangle ? .fromWindow : .fromKnown
    }
}

/// What lies beyond a map's border.
package enum Border: Sendable {
    case zeros
    /// The map mirrored about its outermost pixels.
    case mirrored
}

/// What holes of training look like.
package enum HoleForm: Sendable {
    case rectangle
    /// Strokes, and masks from files: thin parts must not be lost.
    case free
}

/// The place from which errors are discounted with distance.
package enum Discount: Sendable {
    /// The edges of the hole's nominal window; the mean is over the window.
    case fromWindow
    /// The nearest known pixel; the mean is over the hole.
    case fromKnown
}

/// A matter that the article leaves open, or on which the published program differs from it.
package struct InpaintingDecision: Sendable {
    package let matter: String
    package let published: String
    /// Nil: the same.
    package let paper: String?

    private init(_ matter: String, _ published: String, paper: String? = nil) {
        (self.matter, self.published, self.paper) = (matter, published, paper)
    }

    /// All of them, in the order of the README's table.
    package static let all = [
        InpaintingDecision("border of the generator's convolutions", "zeros", paper: "mirrored; sides above 64 px"),
        InpaintingDecision(
            "alignment of stride 2",
            "as few zeros as give half the size, an odd one behind (3×3: 0 and 1; 5×5: 1 and 2)"),
        InpaintingDecision(
            "norm of foreground patches", "not divided by: background patches alone are of length 1",
            paper: "divided by: the score is a cosine"),
        InpaintingDecision(
            "propagation and softmax", "scores are propagated, then the softmax",
            paper: "the softmax, then its weights are propagated and divided by their sum"),
        InpaintingDecision(
            "ends of rows and columns in the propagation", "the next row's or column's beginning is the neighbour",
            paper: "no neighbour"),
        InpaintingDecision("reach of the propagation", "one position each way: k = 3"),
        InpaintingDecision(
            "patches with hole pixels in the propagation", "take part: they are hidden in the softmax alone"),
        InpaintingDecision("patches with hole pixels in the softmax", "logit -infinity: no weight"),
        InpaintingDecision("picture without a patch that is known", "attention and its output are 0"),
        InpaintingDecision("masks of a batch", "each picture has its own"),
        InpaintingDecision("overlapping patches", "divided by four everywhere", paper: "divided by how many overlap"),
        InpaintingDecision(
            "masks at the features' size", "rectangles: the first pixel of each 8×8; free forms: their maximum"),
        InpaintingDecision("background patches", "every one: stride 1"),
        InpaintingDecision("base of the discount", "0.9", paper: "0.99"),
        InpaintingDecision(
            "distance of the discount",
            "rectangles: to the window's edges, min(i, H-i, j, W-j), mean over the window; free forms: to the nearest "
                + "known pixel, mean over the hole",
            paper: "Euclidean, to the nearest known pixel, mean over the hole"),
        InpaintingDecision(
            "rectangles", "half the side anywhere, shrunk by one draw of 0 to side/16 for each axis at both ends"),
        InpaintingDecision(
            "free forms", "gray of 128 and more is hole; the local critic sees half the sides about the hole's middle"),
        InpaintingDecision("gradient from the second stage into the first", "flows"),
        InpaintingDecision(
            "what is compared", "critics: the picture, and the output pasted into it; L1: the outputs as they are"),
        InpaintingDecision("clipped outputs", "gradient 1 within -1 to 1 and at both, 0 beyond"),
        InpaintingDecision("initial weights", "Xavier's uniform, biases 0"),
        InpaintingDecision("patches of zeros", "divided by 0.0001, without a gradient of the norm"),
        InpaintingDecision("without attention", "the branch is left out, the decoder begins with 4c channels"),
        InpaintingDecision("slope of the penalty at 0", "1e-12 is added under the root"),
        InpaintingDecision(
            "bfloat16", "maps and convolutions; scores, softmax, losses and the penalty's norm are float32"),
    ]
}
