import Drawing
import Launching
import Learning
import SystemPackage
import Testing

/// The arithmetic of a study's table, on numbers that were worked out by hand.
@Suite struct StudyTableTests {
    private let study = Study(
        directory: "study", score: "mIoU", resamples: 4,
        shares: [.init(fraction: 0.1, seeds: 2), .init(fraction: 1, seeds: 3)],
        starts: [
            .init(name: "random", pretraining: nil, network: nil), .init(name: "other", pretraining: "p", network: nil),
        ],
        pretrainings: ["p"])

    private func table(
        _ values: [(start: Int, share: Int, seed: Int, value: Double, draws: [Double?]?)]
    ) throws -> StudyTable {
        var results: [String: StudyResult] = [:]
        for (start, share, seed, value, draws) in values {
            let name = study.name(of: .fineTuning(start: start, share: share, seed: seed))
            results[name] = StudyResult(
                run: name, seconds: Double(10 * seed),
                scores: [Score(name: "mIoU", value: value, trained: 1, scored: 1, draws: draws)], configuration: "")
        }
        return try StudyTable(study, results)
    }

    @Test func differencesArePairedBySeed() throws {
        let table = try table([
            (0, 1, 1, 0.10, nil), (0, 1, 2, 0.20, nil), (0, 1, 3, 0.30, nil), (1, 1, 1, 0.15, nil),
            (1, 1, 2, 0.24, nil),
            (1, 1, 3, 0.36, nil),
        ])
        let (first, other) = (table.rows[2], table.rows[3])
        #expect(first.difference == nil && first.values == [0.1, 0.2, 0.3])
        #expect(abs(first.mean! - 0.2) < 1e-12 && abs(first.deviation! - 0.1) < 1e-12 && first.seconds == 20)
        let difference = try #require(other.difference)
        // 0.05, 0.04, 0.06: far smaller than the scores' own spread.
        #expect(abs(difference.mean - 0.05) < 1e-12 && abs(difference.deviation! - 0.01) < 1e-12)
        #expect(difference.pairs == 3 && difference.interval == nil && difference.verdict == "higher")
    }

    @Test func insideTheSpreadOrByOtherPicturesItIsATie() throws {
        func verdict(_ others: [Double], draws: [[Double?]]? = nil) throws -> String? {
            let table = try table(
                others.indices.flatMap { index in
                    [
                        (0, 0, index + 1, 0.5, draws.map { _ in [0.5, 0.5, 0.5, 0.5] }),
                        (1, 0, index + 1, others[index], draws?[index]),
                    ]
                })
            return table.rows[1].difference?.verdict
        }
        #expect(try verdict([0.6, 0.45]) == "tie")
        #expect(try verdict([0.6, 0.65]) == "higher")
        #expect(try verdict([0.4, 0.35]) == "lower")
        #expect(try verdict([0.6]) == "one seed")
        #expect(try verdict([0.6, 0.65], draws: [[0.6, 0.7, 0.4, 0.6], [0.6, 0.6, 0.4, 0.7]]) == "tie")
        #expect(try verdict([0.6, 0.65], draws: [[0.6, 0.7, 0.55, nil], [0.6, 0.6, 0.55, 0.1]]) == "higher")
    }

    /// Draws are averaged over seeds, one by one.
    @Test func intervalsAreOfMeansOverSeeds() throws {
        let table = try table([
            (0, 0, 1, 0, [0, 0, 0]), (0, 0, 2, 0, [0, 0, 0]), (1, 0, 1, 1, [1, 2, 3]), (1, 0, 2, 1, [3, 2, 5]),
        ])
        let interval = try #require(table.rows[1].difference?.interval)
        // Of 2, 2, 4: the percentiles lie between neighbours in proportion.
        #expect(interval.low == 2 && abs(interval.high - 3.9) < 1e-12)
    }

    @Test func unfinishedStudiesSayHowFarTheyAre() throws {
        let table = try table([(0, 0, 1, 0.1, nil), (0, 0, 2, 0.3, nil), (1, 0, 1, 0.4, nil)])
        let text = table.markdown(study, pretrainingSeconds: ["p": 7200])
        let lines = text.split(separator: "\n").map { $0.replacing(#/ +/#, with: " ") }
        #expect(lines[2] == "| 10 % | random | 2 | 20.0 | 14.1 | - | - | - | - |", "\(text)")
        #expect(lines[3] == "| 10 % | other | 1 of 2 | 40.0 | - | +30.0 | - | - | one seed |", "\(text)")
        #expect(lines[5] == "| 100 % | other | 0 of 3 | - | - | - | - | - | - |", "\(text)")
        #expect(
            lines.contains("| other | 2h00m | 10s | - |") && lines.contains("| random | none | 15s | - |"), "\(text)")
        let chart = table.chart(study)
        #expect(chart.series.map(\.name) == ["random", "other"] && chart.series[0].points.map(\.x) == [10])
    }

    @Test func aScoreThatThereIsNotIsNamedWithThoseThereAre() throws {
        let job = study.name(of: .fineTuning(start: 0, share: 0, seed: 1))
        let result = StudyResult(
            run: job, seconds: 1, scores: [Score(name: "AP", value: 0, trained: 1, scored: 1)], configuration: "")
        #expect {
            try StudyTable(study, [job: result])
        } throws: {
            "\($0)".contains("no score 'mIoU'; it has 'AP'")
        }
    }
}
