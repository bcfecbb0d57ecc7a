/// Which boxes of one image stay when those that overlap a surer one of their category too much are dropped (greedy
/// non-maximum suppression, class by class).
///
/// - Parameters:
///   - overlap: boxes go whose IoU with one that stays is above it.
///   - limit: no more stay than so many.
/// - Returns: places of those that stay, the surest first; of equal scores the earlier first.
package func suppressed(
    boxes: [Box], scores: [Double], categories: [Int], overlap: Double, limit: Int
) -> [Int] {
    precondition(
        boxes.count == scores.count && boxes.count == categories.count,
        "\(boxes.count) boxes, \(scores.count) scores and \(categories.count) categories")
    // Swift's sort is stable.
    let order = boxes.indices.sorted { scores[$0] > scores[$1] }
    var kept: [Int] = [], keptByCategory: [Int: [Int]] = [:]
    for place in order where kept.count < limit {
        let rivals = keptByCategory[categories[place], default: []]
        guard !rivals.contains(where: { boxes[$0].overlap(boxes[place]) > overlap }) else { continue }
        kept.append(place)
        keptByCategory[categories[place], default: []].append(place)
    }
    return kept
}
