/// What detectors are scored on: images, categories and the objects in them.
///
/// Detections may come in any order of images, as of several ranks: those of one image must keep theirs. All scores go
/// through images by number, so that they are the same bits however images were shared out.
package struct DetectionSet: Sendable {
    /// Ascending, each once.
    package let images: [Int]
    /// Ascending, each once.
    package let categories: [Int]
    /// By category, then image, in the order of the annotations.
    private let truths: [[Int: [GroundTruth]]]

    /// Throws for an object of an image or category that is not listed.
    package init(images: [Int], categories: [Int], truths: [GroundTruth]) throws {
        self.images = Set(images).sorted()
        self.categories = Set(categories).sorted()
        self.truths = try Self.arranged(
            truths, self.images, self.categories, image: \.image, category: \.category, what: "an object")
    }

    /// The objects and detections of a category, image by image; images with neither are left out.
    func pictures(_ category: Int, _ found: [[Int: [Detection]]]) -> [CategoryPicture] {
        images.map { picture(category, $0, found) }.filter { !$0.truths.isEmpty || !$0.found.isEmpty }
    }

    /// Those of one image.
    func picture(_ category: Int, _ image: Int, _ found: [[Int: [Detection]]]) -> CategoryPicture {
        CategoryPicture(truths: truths[category][image] ?? [], found: found[category][image] ?? [])
    }

    /// Detections by category, then image, in their order. Throws for those that cannot be scored.
    func arranged(_ found: [Detection]) throws -> [[Int: [Detection]]] {
        for detection in found {
            let place = "in image \(detection.image)"
            guard !detection.score.isNaN else {
                throw DetectionError(description: "a detection has the score NaN \(place)")
            }
            guard detection.box.isFinite else {
                throw DetectionError(description: "a detection has the box \(detection.box.shown) \(place)")
            }
            guard detection.box.width >= 0, detection.box.height >= 0 else {
                throw DetectionError(description: "a detection has a negative size, \(detection.box.shown), \(place)")
            }
        }
        return try Self.arranged(
            found, images, categories, image: \.image, category: \.category, what: "a detection")
    }

    private static func arranged<Item>(
        _ items: [Item], _ images: [Int], _ categories: [Int], image: (Item) -> Int, category: (Item) -> Int,
        what: String
    ) throws -> [[Int: [Item]]] {
        let known = Set(images)
        let places = Dictionary(uniqueKeysWithValues: categories.enumerated().map { ($1, $0) })
        var arranged = [[Int: [Item]]](repeating: [:], count: categories.count)
        for item in items {
            let image = image(item), category = category(item)
            guard known.contains(image) else {
                throw DetectionError(
                    description: "\(what) is of the unknown image \(image): do the results belong to these annotations?"
                )
            }
            guard let place = places[category] else {
                throw DetectionError(
                    description: "\(what) in image \(image) is of the unknown category \(category): do the results "
                        + "belong to these annotations?")
            }
            arranged[place][image, default: []].append(item)
        }
        return arranged
    }
}

/// One category in one image.
struct CategoryPicture {
    let truths: [GroundTruth]
    let found: [Detection]
}

extension Box {
    /// For messages.
    package var shown: String { "[\(x), \(y), \(width), \(height)]" }
}
