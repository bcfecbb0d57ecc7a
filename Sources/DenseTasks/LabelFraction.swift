import Files
import TensorCore

/// Which pictures of a set keep their labels where only a share of them shall be used.
///
/// Shares are nested: a smaller one is part of a larger one. Every class is in each of them, for which a share may hold a
/// few pictures more than asked for. Neither the order of the set nor the number of ranks has a say.
package enum LabelFraction {
    /// - Parameters:
    ///   - fraction: above 0, at most 1.
    ///   - names: of the pictures below their folder, each once.
    ///   - classes: those that each picture shows.
    /// - Returns: their places, ascending.
    package static func places(
        _ fraction: Double, names: [String], classes: [[Int]], classNames: [String], seed: UInt64
    ) throws -> [Int] {
        precondition(names.count == classes.count, "\(classes.count) lists of classes for \(names.count) pictures")
        precondition(fraction > 0 && fraction <= 1, "a share of \(fraction)")
        let present = Set(classes.joined())
        if let missing = classNames.indices.first(where: { !present.contains($0) }) {
            throw AnnotationError(
                "no picture shows the class '\(classNames[missing])', so that no share of them can: add one, or take the "
                    + "class away")
        }
        let ranked = ranks(names, seed: seed)
        // In front those that show a class for the first time: every share begins with them.
        var seen: Set<Int> = [], first: [Int] = [], rest: [Int] = []
        for place in ranked {
            if seen.isSuperset(of: classes[place]) { rest.append(place) } else { first.append(place) }
            seen.formUnion(classes[place])
        }
        let count = max(Int((fraction * Double(names.count)).rounded()), first.count, min(1, names.count))
        return (first + rest).prefix(count).sorted()
    }

    /// The pictures in the order of a number drawn for each by its name.
    private static func ranks(_ names: [String], seed: UInt64) -> [Int] {
        let drawn = names.map { name in
            var generator = KeyedGenerator(key: [seed, 0x6672_6163] + name.utf8.map { UInt64($0) })
            return generator.next()
        }
        return names.indices.sorted { (drawn[$0], names[$0]) < (drawn[$1], names[$1]) }
    }
}

extension AnnotatedImages {
    /// The share of the pictures whose boxes shall be used.
    package func labelled(_ fraction: Double, seed: UInt64) throws -> AnnotatedImages {
        let places = try LabelFraction.places(
            fraction, names: images.map(\.name.text),
            classes: images.map { Array(Set($0.objects.filter { !$0.isCrowd }.map(\.category))).sorted() },
            classNames: categories.map(\.name), seed: seed)
        return AnnotatedImages(
            folder: folder, categories: categories, images: places.map { images[$0] }, damage: damage)
    }
}
