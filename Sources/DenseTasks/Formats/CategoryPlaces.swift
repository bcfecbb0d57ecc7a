/// Which class an annotation means: by the places of the set that is trained on, if that is known, else of its own.
struct CategoryPlaces {
    /// By whose places objects are numbered.
    let categories: [AnnotatedCategory]
    private let own: [AnnotatedCategory]
    private let ownPlaces: [Int: Int]
    private let placesByName: [String: Int]

    /// - Parameter ids: where each of the own numbers stands.
    init(_ own: [AnnotatedCategory], known: [AnnotatedCategory]?, ids: [Int: Int] = [:]) throws {
        (self.own, ownPlaces, categories) = (own, ids, known ?? own)
        var places: [String: Int] = [:]
        for (place, category) in categories.enumerated() {
            guard places.updateValue(place, forKey: category.name) == nil else {
                throw AnnotationError("has two categories of the name '\(category.name)'; give each a name of its own")
            }
        }
        placesByName = places
        guard !categories.isEmpty else { throw AnnotationError("has no category") }
    }

    func place(of name: String) -> Int? { placesByName[name] }
    func place(ofID id: Int) -> Int? { ownPlaces[id].flatMap { placesByName[own[$0].name] } }
    func name(ofID id: Int) -> String { ownPlaces[id].map { own[$0].name } ?? "category_id \(id)" }
}
