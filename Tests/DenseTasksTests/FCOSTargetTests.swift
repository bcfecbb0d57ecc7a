import DenseTasks
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// Whose box a point has, where conventions and corner cases decide it. Levels are P3 to P5 of 256 × 256 pixels.
@Suite struct FCOSTargetTests {
    private func targets(
        _ objects: [[TargetObject]], _ convention: DetectionConvention = .fcos, height: Int = 256, width: Int = 256
    ) throws -> FCOSTargets {
        var settings = DetectorSettings()
        (settings.architecture, settings.channels, settings.towerDepth) = (.tiny, 32, 0)
        (settings.classes, settings.levels, settings.convention) = (3, .p3ToP5, convention)
        settings.sizeRanges = try #require(SizeRanges([64, 128]))
        let images = Tensor.zeros([objects.count, height, width, 3])
        return FCOSTargets(
            try Detector(settings, seed: 1)(images, Pass(mode: .evaluation)).points, objects: objects)
    }

    private func box(_ left: Double, _ top: Double, _ right: Double, _ bottom: Double, _ category: Int = 0)
        -> TargetObject
    {
        TargetObject(box: Box(left: left, top: top, right: right, bottom: bottom), category: category)
    }

    /// Boxes of the points of a level by column and row.
    private func places(_ level: FCOSTargets.Level, columns: Int) -> [[Int]: Int] {
        var places: [[Int]: Int] = [:]
        for (cell, index) in level.boxes.enumerated() {
            if let index { places[[cell % columns, cell / columns]] = index }
        }
        return places
    }

    /// P3's points stand at 4, 12, …, P4's at 8, 24, …; torchvision's at 0, 8, … and 0, 16, …. Half-sides are 12 and 24.
    @Test func aReachAtTheEndOfARangeIsOfBothLevelsWhereRangesAreClosed() throws {
        let third = try targets([[box(36, 36, 164, 164)]]).levels
        #expect(places(third[0], columns: 32) == [[12, 12]: 0] && places(third[1], columns: 16).count == 9)
        let fourth = try targets([[box(40, 40, 168, 168)]]).levels
        #expect(places(fourth[0], columns: 32).isEmpty && places(fourth[1], columns: 16)[[6, 6]] == 0)
        #expect(places(fourth[2], columns: 8).isEmpty)
        let open = try targets([[box(32, 32, 160, 160)]], .torchvision).levels
        #expect(places(open[0], columns: 32).isEmpty)
        let around = places(open[1], columns: 16)
        #expect(around.count == 8 && around[[6, 6]] == nil && around[[5, 7]] == 0)
    }

    /// Points 12 from the centre lie on the edge of P3's square, points on a box's side on the edge of the box.
    @Test func edgesAreOutside() throws {
        let first = places(try targets([[box(80, 80, 112, 112)]]).levels[0], columns: 32)
        // The centre (96, 96): 92 and 100 are 4 from it; 84 and 108 are on the square's edge.
        #expect(Set(first.keys) == [[11, 11], [12, 11], [11, 12], [12, 12]])
        let narrow = places(try targets([[box(92, 80, 100, 112)]]).levels[0], columns: 32)
        #expect(narrow.isEmpty)
    }

    @Test func theSmallestBoxHasThePointAndOfEqualOnesTheFirst() throws {
        let large = box(60, 60, 120, 120, 1), small = box(80, 80, 100, 100, 2)
        let nested = try targets([[large, small]]).levels[0]
        #expect(places(nested, columns: 32)[[11, 11]] == 1 && nested.categories[11 * 32 + 11] == 2)
        #expect(places(nested, columns: 32)[[10, 10]] == 1 && places(nested, columns: 32)[[12, 12]] == 0)
        let wide = box(74, 82, 106, 98), high = box(82, 74, 98, 106)
        for pair in [[wide, high], [high, wide]] {
            let first = places(try targets([pair]).levels[0], columns: 32)
            #expect(first[[11, 11]] == 0, "\(first)")
        }
        // 402 against 400 square pixels: the same to torchvision's keys.
        let almost = box(80, 80, 100.1, 100)
        #expect(places(try targets([[almost, small]]).levels[0], columns: 32)[[11, 11]] == 1)
        #expect(places(try targets([[almost, small]], .torchvision).levels[0], columns: 32)[[11, 11]] == 0)
    }

    @Test func distancesAreInStridesAndCenternessFallsToTheSides() throws {
        let level = try targets([[box(84, 88, 112, 104)]]).levels[0], at = 11 * 32 + 12
        // (100, 92): 16, 4, 12 and 12 pixels.
        #expect(Array(level.distances.array[4 * at..<4 * at + 4]) == [2, 0.5, 1.5, 1.5])
        #expect(abs(Double(level.centerness[at]) - (12.0 / 16 * 4 / 12).squareRoot()) < 1e-7)
        #expect(level.centerness.enumerated().allSatisfy { ($1 == 0) == (level.boxes[$0] == nil) })
    }

    @Test func imagesWithoutABoxAreBackground() throws {
        let targets = try targets([[], [box(80, 80, 112, 112)], []])
        #expect(targets.positives == 4 && targets.levels.allSatisfy { $0.boxes.count % 3 == 0 })
        let first = targets.levels[0]
        #expect(first.boxes[..<1024].allSatisfy { $0 == nil } && first.boxes[2048...].allSatisfy { $0 == nil })
        let none = try self.targets([[], []])
        #expect(none.positives == 0 && none.centernessSum == 0)
    }

    /// Of 76 × 44 pixels P3 has 10 × 6 cells: 7 pixels, rounded down, from one to the next.
    @Test func torchvisionsCellsShareThePaddedImage() throws {
        let level = try targets([[box(10, 10, 30, 30)]], .torchvision, height: 44, width: 76).levels[0]
        #expect(level.boxes.count == 60)
        let found = places(level, columns: 10)
        #expect(Set(found.keys) == Set([2, 3, 4].flatMap { x in [2, 3, 4].map { [x, $0] } }))
        #expect(Array(level.distances.array[4 * 22..<4 * 23]) == [0.5, 0.5, 2, 2])
        let centred = try targets([[box(10, 10, 30, 30)]], height: 44, width: 76).levels[0]
        #expect(
            Set(places(centred, columns: 10).keys) == [
                [1, 1], [2, 1], [3, 1], [1, 2], [2, 2], [3, 2], [1, 3], [2, 3], [3, 3],
            ])
    }
}
