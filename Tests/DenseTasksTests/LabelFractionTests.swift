import DenseTasks
import Testing

@Suite struct LabelFractionTests {
    private let names = (0..<300).map { "folder/\($0).jpg" }
    /// Class 2 is in two pictures only.
    private var classes: [[Int]] {
        (0..<300).map { [[0], [0, 1], [], [1]][$0 % 4] + ($0 == 77 || $0 == 201 ? [2] : []) }
    }
    private let classNames = ["cat", "dog", "owl"]

    private func places(_ fraction: Double, seed: UInt64 = 1) throws -> [Int] {
        try LabelFraction.places(fraction, names: names, classes: classes, classNames: classNames, seed: seed)
    }

    @Test func sharesAreNestedAndHoldEveryClass() throws {
        for seed in 1...5 as ClosedRange<UInt64> {
            var smaller: Set<Int> = []
            for (fraction, count) in [(0.0001, 2), (0.01, 3), (0.1, 30), (0.5, 150), (1, 300)] {
                let places = try places(fraction, seed: seed)
                #expect(places == places.sorted() && Set(places).isSuperset(of: smaller))
                #expect(Set(places.flatMap { classes[$0] }) == [0, 1, 2])
                // Three classes need three pictures at most.
                #expect(places.count == count || fraction < 0.01 && (2...3).contains(places.count), "\(places.count)")
                smaller = Set(places)
            }
        }
        #expect(try places(0.1, seed: 1) != places(0.1, seed: 2))
    }

    @Test func theOrderOfTheSetHasNoSay() throws {
        let backwards = try LabelFraction.places(
            0.1, names: names.reversed(), classes: classes.reversed(), classNames: classNames, seed: 1)
        #expect(try backwards.map { 299 - $0 }.sorted() == places(0.1))
    }

    @Test func aClassWithoutAPictureIsNamed() throws {
        let error = #expect(throws: AnnotationError.self) {
            try LabelFraction.places(0.5, names: names, classes: classes, classNames: classNames + ["yak"], seed: 1)
        }
        #expect(error!.description.contains("'yak'"))
    }
}
