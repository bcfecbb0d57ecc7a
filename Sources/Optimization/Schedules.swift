import Glibc

/// How far a run is, counted in images (the same at any number of ranks and any batch size) or, where a task's length is
/// given so, in updates.
package struct ScheduleProgress: Sendable, Equatable {
    package let done: Double
    /// Of the whole run.
    package let total: Double

    package init(done: Int, of total: Int) {
        self.done = Double(done)
        self.total = Double(total)
    }
}

/// A learning rate that rises linearly from a part of itself, and then takes a course to the end of the run.
package struct LearningRateSchedule: Sendable, Equatable {
    package enum Course: Sendable, Equatable {
        /// Down to `floor` along half a cosine.
        case cosine(floor: Double)
        case constant
        /// (1 − share)^power of the rate.
        case polynomial(power: Double)
        /// Times `factor` at each of these shares of the whole run.
        case steps(at: [Double], factor: Double)
    }

    package let rate: Double
    /// In the unit of the progress.
    package let warmup: Double
    /// Warm-up begins with the rate divided by this.
    package let warmupDivisor: Double
    package let course: Course

    package init(rate: Double, warmup: Double = 0, warmupDivisor: Double = 100, course: Course) {
        (self.rate, self.warmup, self.warmupDivisor, self.course) = (rate, warmup, warmupDivisor, course)
    }

    /// The published PixPro schedule: from a hundredth of the rate, then a cosine down to 1e-6. `baseRate` is for a batch
    /// of 256 images and grows linearly with the global batch.
    package static func pretraining(baseRate: Double, globalBatch: Int, warmupSamples: Int) -> LearningRateSchedule {
        LearningRateSchedule(
            rate: baseRate * Double(globalBatch) / 256, warmup: Double(warmupSamples), course: .cosine(floor: 1e-6))
    }

    /// The rate of the update that follows after `progress.done`.
    package func rate(at progress: ScheduleProgress) -> Double {
        if progress.done < warmup {
            return rate / warmupDivisor * ((warmupDivisor - 1) * progress.done / warmup + 1)
        }
        switch course {
        case .constant: return rate
        case .cosine(let floor):
            return floor + (rate - floor) * (1 + cos(.pi * share(of: progress))) / 2
        case .polynomial(let power): return rate * pow(1 - share(of: progress), power)
        case .steps(let shares, let factor):
            return rate * pow(factor, Double(shares.count { progress.done >= $0 * progress.total }))
        }
    }

    /// The share of what follows warm-up that is done.
    private func share(of progress: ScheduleProgress) -> Double {
        min((progress.done - warmup) / max(progress.total - warmup, 1), 1)
    }
}

/// The momentum encoder's coefficient, from its base to 1 along a cosine: 1 − (1 − m₀)(cos(πk/K) + 1)/2.
package struct MomentumSchedule: Sendable {
    package let base: Double

    package init(base: Double) { self.base = base }

    package func momentum(at progress: ScheduleProgress) -> Double {
        1 - (1 - base) * (cos(.pi * min(progress.done / progress.total, 1)) + 1) / 2
    }
}
