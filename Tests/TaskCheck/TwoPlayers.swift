import Files
import ImagePipeline
import Learning
import MessagePassing
import NeuralNetwork
import Optimization
import Settings
import TensorCore

/// Pictures of unequal size, and for those that have one the brightness that is wanted.
final class UnequalPictures: SampleBatch {
    let images: BatchPlaces<Tensor?>
    let goals: BatchPlaces<Float?>

    init(count: Int) { (images, goals) = (BatchPlaces(count: count, nil), BatchPlaces(count: count, nil)) }

    var packed: [[UInt8]] {
        zip(images.all, goals.all).map { image, goal in
            var writer = PackedWriter()
            writer.add(image!)
            writer.add(goal.map { [$0] } ?? []) { $0.add(Double($1)) }
            return writer.bytes
        }
    }

    convenience init(packed: [[UInt8]]) throws {
        self.init(count: packed.count)
        for (place, bytes) in packed.enumerated() {
            var reader = PackedReader(bytes)
            images[place] = try reader.tensor()
            goals[place] = try reader.list { Float(try $0.double()) }.first
        }
    }
}

/// Every picture at a size of its own; one in three has a goal.
struct UnequalSamples: SampleLoading {
    let seed: UInt64

    func makeWorkspace() {}
    func makeBatch(count: Int) -> UnequalPictures { UnequalPictures(count: count) }

    func load(
        _ bytes: [UInt8], picture: Int, key: SampleKey, into batch: UnequalPictures, position: Int, workspace: Void
    ) throws {
        var generator = KeyedGenerator(seed, UInt64(key.epoch), UInt64(key.sample))
        let height = 8 + generator.integer(below: 9), width = 8 + generator.integer(below: 9)
        let image = try EvaluationTransform.plainView(bytes, height: height, width: width)
        batch.images[position] = image.reshaped([1, height, width, 3])
        batch.goals[position] = picture % 3 == 0 ? Float(generator.integer(below: 100)) / 100 : nil
    }
}

struct PlayerSettings: TaskDefinition {
    var judgeRate = 0.02
    static let name = "players"

    static let schema = Schema<PlayerSettings>(
        sections: [Section("judge", "The one that judges.")],
        settings: [Setting("judge.rate", \.judgeRate, in: .above(0, upTo: 1), "Learning rate of the judge.")])
    let parameterCount = 112, activationBytesPerImage = 1000
    var exportMaps: [ExportMap] { [ExportMap(name: "painter", withoutPrefix: "painter.")] }

    func makeTask(seed: Int, elementType: ElementType, facts: [String: String], isRestored: Bool) -> TwoPlayers {
        TwoPlayers(self)
    }
}

/// A painter changes pictures, a judge tells painted ones from others; in turn, the judge twice for each of the other's.
final class TwoPlayers: TrainingTask {
    let painterState = ModelState(seed: 1), judgeState = ModelState(seed: 2)
    private let painter, judge: Convolution2D
    let modules: [TrainedModule]
    let phases = [1, 1, 0].map { TrainingPhase(name: $0 == 1 ? "judge" : "painter", module: $0) }
    private let settings: PlayerSettings

    init(_ settings: PlayerSettings) {
        self.settings = settings
        painter = Convolution2D(
            Scope(painterState).child("painter"), inputs: 3, outputs: 3, kernel: 3, padding: 1, bias: true,
            start: .pytorchDefault)
        judge = Convolution2D(
            Scope(judgeState).child("judge"), inputs: 3, outputs: 1, kernel: 3, stride: 2, padding: 1, bias: true,
            start: .pytorchDefault)
        modules = [
            TrainedModule(name: "painter", state: painterState, optimizer: Adam(painterState.parameters, beta1: 0.5)),
            TrainedModule(
                name: "judge", state: judgeState, optimizer: LARS(judgeState.parameters, trustCoefficient: nil)),
        ]
    }

    let architectureFacts = ["players": "2"], summary = "two players"

    func learningRates(_ length: RunLength) -> [LearningRateSchedule] {
        [
            LearningRateSchedule(rate: 0.01, warmup: Double(length.globalBatch), course: .polynomial(power: 1)),
            LearningRateSchedule(rate: settings.judgeRate, course: .constant),
        ]
    }

    func learn(_ batch: UnequalPictures, _ part: BatchPart, _ figures: inout Figures) throws -> Double {
        // A mean over goals needs their number on all ranks, and one of them may have none.
        let own = Double(batch.goals.all.count { $0 != nil }), goals = try part.communicator.sum([own])[0]
        let isJudging = part.phase.module == 1, weight = 1 / Double(part.globalImages)
        var loss = 0.0
        for (index, (image, goal)) in zip(batch.images.all, batch.goals.all).enumerated() {
            let tape = Tape(), pass = Pass(mode: .training, tape: tape, statistics: part.statistics)
            let pixels = Variable(image!, needsGradient: isJudging)
            let painted = judge(painter(pixels, pass), pass)
            var terms = [meanError(painted, isJudging ? 0 : 1, weight: weight, pass)]
            if isJudging { terms.append(meanError(judge(pixels, pass), 1, weight: weight, pass)) }
            if let goal, !isJudging { terms.append(meanError(painter(pixels, pass), goal, weight: 1 / goals, pass)) }
            loss += terms.reduce(0) { $0 + $1.loss }
            let total = terms.dropFirst().reduce(terms[0].variable) { add($0, $1.variable, weight: 1, pass) }
            try tape.backward(
                from: total, seed: Tensor([1], [1]),
                onGradientReady: index == batch.images.count - 1 ? part.onGradientReady : nil)
            if let gradient = pixels.takeGradient() { figures.add("pixels", sum: gradient.sumOfSquares) }
        }
        figures.add("goals", total: own, of: Double(batch.goals.count))
        return loss
    }

    func observe(_ totals: Figures.Totals, step: Int) -> StepObservation {
        StepObservation(metrics: ["pixelGradient": totals.sum("pixels"), "goals": totals.mean("goals")])
    }

    func samples(of pictures: ImageIndex) -> UnequalSamples { UnequalSamples(seed: 3) }

    func makeEvaluator(pictures: ImageIndex, communicator: any Collective) throws -> any TaskEvaluator {
        Brightness(task: self, pictures: pictures, communicator: communicator)
    }

    func painted(_ image: Tensor) -> Tensor { painter(Variable(image), Pass(mode: .evaluation)).value }

    /// weight · (mean of the map − goal)² / 2.
    private func meanError(
        _ map: Variable, _ goal: Float, weight: Double, _ pass: Pass
    ) -> (loss: Double, variable: Variable) {
        let count = Double(map.value.count), mean = map.value.array.reduce(0) { $0 + Double($1) } / count
        let error = mean - Double(goal), loss = weight * error * error / 2
        let variable = pass.output(Tensor([1], [Float(loss)]), of: [map]) { seed in
            let gradient = Tensor(map.value.shape)
            gradient.fill(Float(weight * error / count) * seed.floats[0])
            map.receive(gradient)
        }
        return (loss, variable)
    }
}

/// How bright painted pictures are, each rank looking at its part.
final class Brightness: TaskEvaluator {
    private let task: TwoPlayers
    private let pictures: ImageIndex
    private let communicator: any Collective

    init(task: TwoPlayers, pictures: ImageIndex, communicator: any Collective) {
        (self.task, self.pictures, self.communicator) = (task, pictures, communicator)
    }

    func evaluate(progress: @escaping EvaluationProgress) throws -> EvaluationReport {
        var sum = 0.0
        for picture in stride(from: communicator.rank, to: pictures.count, by: communicator.size) {
            let image = try EvaluationTransform.plainView(try pictures.bytes(of: picture), height: 16, width: 16)
            let painted = task.painted(image.reshaped([1, 16, 16, 3])).array
            sum += painted.reduce(0) { $0 + Double($1) } / Double(painted.count)
        }
        let mean = try communicator.sum([sum])[0] / Double(pictures.count)
        return EvaluationReport(scores: [Score(name: "brightness", value: mean, trained: 0, scored: pictures.count)])
    }
}
