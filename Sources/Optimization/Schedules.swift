import Glibc

/// How far a run is, counted in images: the same at any number of ranks and any batch size.
public struct ScheduleProgress: Sendable, Equatable {
    /// Images seen by all ranks so far.
    public let samples: Double
    /// Images of the whole run.
    public let total: Double

    public init(samples: Int, total: Int) {
        self.samples = Double(samples)
        self.total = Double(total)
    }
}

/// Linear warm-up from a hundredth of the rate, then a cosine down to 1e-6 (the published PixPro schedule).
public struct LearningRateSchedule: Sendable {
    public let rate: Double
    public let warmupSamples: Double
    static let floor = 1e-6

    /// `baseRate` is for a batch of 256 images and grows linearly with the global batch.
    public init(baseRate: Double, globalBatch: Int, warmupSamples: Int) {
        rate = baseRate * Double(globalBatch) / 256
        self.warmupSamples = Double(warmupSamples)
    }

    /// The rate of the update that follows after `progress.samples` images.
    public func rate(at progress: ScheduleProgress) -> Double {
        if progress.samples < warmupSamples {
            return rate / 100 * (99 * progress.samples / warmupSamples + 1)
        }
        let cosineSamples = max(progress.total - warmupSamples, 1)
        let share = min((progress.samples - warmupSamples) / cosineSamples, 1)
        return Self.floor + (rate - Self.floor) * (1 + cos(.pi * share)) / 2
    }
}

/// The momentum encoder's coefficient, from its base to 1 along a cosine: 1 − (1 − m₀)(cos(πk/K) + 1)/2.
public struct MomentumSchedule: Sendable {
    public let base: Double

    public init(base: Double) { self.base = base }

    public func momentum(at progress: ScheduleProgress) -> Double {
        1 - (1 - base) * (cos(.pi * min(progress.samples / progress.total, 1)) + 1) / 2
    }
}
