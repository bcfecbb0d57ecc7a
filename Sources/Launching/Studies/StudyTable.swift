package import Learning

/// What the runs of a study say together: for each share and start the scores over seeds, and by how much they differ from
/// those of the first start, seed by seed.
package struct StudyTable: Sendable, Equatable {
    /// One start on one share.
    package struct Row: Sendable, Equatable {
        package let share: Study.Share
        package let start: String
        /// By seed, of those that are done.
        package let values: [Double]
        package let mean: Double?
        /// Over seeds; nil for less than two.
        package let deviation: Double?
        /// To the first start; nil for the first itself, and before a pair is done.
        package let difference: Difference?
        /// Seconds of a run, in the mean.
        package let seconds: Double?
    }

    /// Of two starts, paired by seed.
    package struct Difference: Sendable, Equatable {
        package let mean: Double
        package let deviation: Double?
        package let pairs: Int
        /// Of the mean over seeds, over draws of the scored pictures, which are the same for both.
        package let interval: Interval?

        /// What may be said of it. A difference inside the spread of its seeds, or one that another choice of pictures
        /// could turn, is a tie.
        package var verdict: String {
            guard let deviation else { return "one seed" }
            let isSure = interval.map { $0.low > 0 || $0.high < 0 } ?? true
            guard abs(mean) > deviation, isSure else { return "tie" }
            return mean > 0 ? "higher" : "lower"
        }
    }

    package let score: String
    package let rows: [Row]

    /// - Parameter results: by the names of their jobs. A result without the score is an error that names those it has.
    package init(_ study: Study, _ results: [String: StudyResult]) throws {
        score = study.score
        func scores(_ start: Int, _ share: Int) throws -> [Int: (score: Score, seconds: Double)] {
            var found: [Int: (Score, Double)] = [:]
            for seed in 1...study.shares[share].seeds {
                let job = Study.Job.fineTuning(start: start, share: share, seed: seed)
                guard let result = results[study.name(of: job)] else { continue }
                found[seed] = (try result.score(study.score), result.seconds)
            }
            return found
        }
        rows = try study.shares.indices.flatMap { share in
            let first = try scores(0, share)
            return try study.starts.indices.map { start in
                let own = try scores(start, share), seeds = own.keys.sorted()
                let values = seeds.map { own[$0]!.score.value }
                let pairs = start == 0 ? [] : seeds.filter { first[$0] != nil }
                return Row(
                    share: study.shares[share], start: study.starts[start].name, values: values,
                    mean: values.mean, deviation: values.deviation,
                    difference: Difference(pairs.map { (own[$0]!.score, first[$0]!.score) }),
                    seconds: seeds.map { own[$0]!.seconds }.mean)
            }
        }
    }
}

extension StudyTable.Difference {
    /// Nil without a pair.
    fileprivate init?(_ pairs: [(score: Score, first: Score)]) {
        let differences = pairs.map { $0.score.value - $0.first.value }
        guard let mean = differences.mean else { return nil }
        (self.mean, deviation, self.pairs) = (mean, differences.deviation, pairs.count)
        let draws = pairs.map { pair -> [Double?] in
            guard let own = pair.score.draws, let first = pair.first.draws, own.count == first.count else { return [] }
            return zip(own, first).map { own, first in own.flatMap { own in first.map { own - $0 } } }
        }
        let count = draws.map(\.count).min() ?? 0
        interval = Interval(
            (0..<count).compactMap { draw -> Double? in
                let differences = draws.compactMap { $0[draw] }
                return differences.count == draws.count ? differences.mean : nil
            })
    }
}

extension StudyResult {
    func score(_ name: String) throws -> Score {
        if let score = scores.first(where: { $0.name == name }) { return score }
        throw LaunchError(
            .configuration,
            "\(run) has no score '\(name)'; it has \(scores.map { "'\($0.name)'" }.joined(separator: ", ")): set 'score' to one "
                + "of them")
    }
}

extension [Double] {
    /// Nil for none.
    var mean: Double? { isEmpty ? nil : reduce(0, +) / Double(count) }

    /// √(Σ (x − mean)² / (n − 1)); nil for less than two.
    var deviation: Double? {
        guard count > 1, let mean else { return nil }
        return (map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(count - 1)).squareRoot()
    }
}
