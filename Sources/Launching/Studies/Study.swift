import Files
package import SystemPackage

/// What is compared: one task, trained from several starts on several shares of the labels, several times each.
package struct Study: Sendable, Equatable {
    /// Where all runs, their scores and the tables are kept.
    package var directory: FilePath
    /// Where pretrainings and what is exported of them are kept: several studies may share them.
    package var pretrainingDirectory: FilePath
    /// The name of the score that is compared, as `pixpro evaluate` prints it.
    package var score: String
    /// Draws of the scored pictures for intervals.
    package var resamples: Int
    package var shares: [Share]
    /// The others are compared with the first.
    package var starts: [Start]
    /// By name: training that a start begins with, done once.
    package var pretrainings: [String]

    /// A share of the labels, and how often it is trained on: with the seeds 1, 2, ….
    package struct Share: Sendable, Equatable {
        package let fraction: Double
        package let seeds: Int

        package init(fraction: Double, seeds: Int) { (self.fraction, self.seeds) = (fraction, seeds) }

        /// "10 %".
        package var text: String {
            let percent = (1000 * fraction).rounded() / 10
            return (percent == percent.rounded() ? "\(Int(percent))" : "\(percent)") + " %"
        }
    }

    /// What fine-tunings begin with.
    package struct Start: Sendable, Equatable {
        package let name: String
        /// With neither pretraining nor weights: random weights.
        package let pretraining: String?
        /// Of the pretraining's networks that which is exported; nil: the first.
        package let network: String?
        /// A file that is there before the study.
        package let weights: FilePath?

        package init(name: String, pretraining: String?, network: String?, weights: FilePath? = nil) {
            (self.name, self.pretraining, self.network, self.weights) = (name, pretraining, network, weights)
        }
    }

    package init(
        directory: FilePath, pretrainingDirectory: FilePath? = nil, score: String, resamples: Int, shares: [Share],
        starts: [Start], pretrainings: [String]
    ) {
        (self.directory, self.score, self.resamples) = (directory, score, resamples)
        self.pretrainingDirectory = pretrainingDirectory ?? directory
        (self.shares, self.starts, self.pretrainings) = (shares, starts, pretrainings)
    }

    /// A run of the study.
    package enum Job: Sendable, Equatable {
        /// The place of a pretraining in the list.
        case pretraining(Int)
        /// The places of start and share, and the seed.
        case fineTuning(start: Int, share: Int, seed: Int)
    }

    /// All runs in their order: first those that need no pretraining, which find within minutes what is wrong with data or
    /// scores; then each pretraining, and behind it what begins with it. Seed by seed, so that tables fill evenly.
    package var jobs: [Job] {
        func fineTunings(_ isWanted: (Start) -> Bool) -> [Job] {
            (1...(shares.map(\.seeds).max() ?? 1)).flatMap { seed in
                shares.indices.filter { seed <= shares[$0].seeds }.flatMap { share in
                    starts.indices.filter { isWanted(starts[$0]) }.map {
                        Job.fineTuning(start: $0, share: share, seed: seed)
                    }
                }
            }
        }
        return fineTunings { $0.pretraining == nil }
            + pretrainings.indices.flatMap { place in
                [.pretraining(place)] + fineTunings { $0.pretraining == pretrainings[place] }
            }
    }

    /// Of a job's files: `pixpro-backbone-10-seed2`.
    package func name(of job: Job) -> String {
        switch job {
        case .pretraining(let place): return "pretraining-\(Self.fileName(pretrainings[place]))"
        case .fineTuning(let start, let share, let seed):
            let percent = shares[share].text.prefix { $0 != " " }
            return "\(Self.fileName(starts[start].name))-\(percent)-seed\(seed)"
        }
    }

    /// Small letters, digits and single hyphens.
    static func fileName(_ name: String) -> String {
        name.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }.joined(separator: "-")
    }

    // MARK: Files

    private func directory(of job: Job) -> FilePath {
        if case .pretraining = job { pretrainingDirectory } else { directory }
    }

    package func run(of job: Job) -> FilePath { directory(of: job).appending("runs").appending(name(of: job)) }

    func configuration(of job: Job) -> FilePath {
        directory(of: job).appending("configurations").appending(name(of: job) + ".yaml")
    }

    func result(of job: Job) -> FilePath {
        directory(of: job).appending("results").appending(name(of: job) + ".json")
    }

    /// What tells with which weights a fine-tuning began.
    func beginning(of job: Job) -> FilePath { configuration(of: job).appending(suffix: ".weights") }

    /// What `model.start` of a start's fine-tunings names; nil for random weights.
    func weights(of start: Start) -> FilePath? {
        if let weights = start.weights { return weights }
        return start.pretraining.map {
            let network = start.network.map { "-" + Self.fileName($0) } ?? ""
            return pretrainingDirectory.appending("weights").appending("\(Self.fileName($0))\(network).safetensors")
        }
    }
}
