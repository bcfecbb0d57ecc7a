import DataParallel
import MessagePassing
import NeuralNetwork
import Training

/// Takes the times between the messages of steps.
final class StepRecorder {
    private enum Part { case microBatch, update }
    private let clock = ContinuousClock()
    private var last: ContinuousClock.Instant
    private var part = Part.update
    private var pass: Int?
    private var current = StepTimeline(microBatch: [], update: [])
    private(set) var steps: [StepTimeline] = []

    init() { last = clock.now }

    func beginStep() {
        (part, current, last) = (.update, StepTimeline(microBatch: [], update: []), clock.now)
    }

    func beginMicroBatch() {
        add(.none)
        part = .microBatch
        resume()
    }

    func beginUpdate() {
        add(.none)
        part = .update
        resume()
    }

    func endStep() {
        add(.none)
        steps.append(current)
    }

    /// A group's sum begins. Those of passes are told as events.
    func message(group: String, bytes: Int) {
        guard !group.hasPrefix(SynchronizedStatistics.passName) else { return }
        add(group == "gradients" ? .gradients(bytes) : .awaited(bytes))
    }

    func pass(_ event: PassRunner.Event) {
        switch event {
        case .begins(let number):
            // What came before the first; between passes there is nothing.
            if pass == nil { add(.none) }
            begin(pass: number)
        case .waits(_, let bytes): add(.awaited(bytes))
        case .goesOn(let number): begin(pass: number)
        case .ends:
            add(.none)
            begin(pass: nil)
        }
    }

    private func begin(pass next: Int?) {
        pass = next
        resume()
    }

    /// Time counts again.
    func resume() { last = clock.now }

    private func add(_ message: StepTimeline.Message) {
        let segment = StepTimeline.Segment(seconds: (clock.now - last).inSeconds, message: message, pass: pass)
        switch part {
        case .microBatch: current.microBatch.append(segment)
        case .update: current.update.append(segment)
        }
    }
}

/// What several steps have in common.
struct StepRecord {
    /// Each segment's median.
    let timeline: StepTimeline
    /// By how much segments were longer than that, in seconds.
    let delays: [Double]
    let observedSeconds: Double
    /// Of whole steps, in seconds.
    let deviation: Double

    /// - Parameter steps: with the same messages.
    init(_ steps: [StepTimeline]) {
        var timeline = steps[0], delays: [Double] = []
        func middle(_ part: WritableKeyPath<StepTimeline, [StepTimeline.Segment]>) {
            for index in timeline[keyPath: part].indices {
                let times = steps.map { $0[keyPath: part][index].seconds }
                let usual = median(times)
                timeline[keyPath: part][index].seconds = usual
                delays += times.map { $0 - usual }.filter { $0 > 0 }
            }
        }
        middle(\.microBatch)
        middle(\.update)
        let times = steps.map { $0.seconds(microBatches: 1) }, count = Double(times.count)
        let mean = times.reduce(0, +) / count
        deviation = (times.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / max(count - 1, 1)).squareRoot()
        observedSeconds = times.reduce(0, +)
        (self.timeline, self.delays) = (timeline, delays)
    }
}
