import Checkpointing
import Foundation
import ImagePipeline
import NeuralNetwork
import Optimization
import PixelLearning
import TensorCore
import TestSupport
import Testing

/// `pixpro verify` on references that are made here: the steps of training written once more, for one process.
@Suite(.serialized) struct VerifyTests {
    private func verify(_ reference: String, ranks: Int) throws -> ProcessResult {
        try MPILauncher.run("pixpro", ranks: ranks, ["verify", "--reference", reference], timeLimit: 60)
    }

    @Test func aReferenceIsMetOnOneRankAndOnTwoAndAChangedOneIsNot() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/reference.safetensors"
            var reference = try Reference.trained()
            try reference.write(to: path)
            for ranks in [1, 2] {
                let result = try verify(path, ranks: ranks)
                #expect(result.status == 0 && result.output.contains("2 losses and 294 tensors agree"), "\(result)")
            }
            let three = try verify(path, ranks: 3)
            #expect(three.status != 0 && three.errorOutput.contains("4 images"), "\(three)")

            // One number of one tensor of the momentum encoder, and the loss of the first step, which is compared twice.
            let changed = "expected.weights.encoder_k.layer3.0.conv1.weight"
            let tensor = try #require(reference.tensors[changed])
            tensor.pointer[0] += 0.01 * Float(tensor.sumOfSquares.squareRoot())
            reference.tensors["expected.loss"]!.pointer[0] += 2e-5
            try reference.write(to: path)
            let failed = try verify(path, ranks: 2)
            #expect(failed.status == 1 && failed.output.contains("3 of 296 figures are past"), "\(failed)")
            #expect(failed.output.matches(of: /FAIL  encoder_k\.layer3\.0\.conv1\.weight/).count == 1, "\(failed)")

            // What the reference expects and this model does not have is not passed over.
            reference.tensors["expected.gradient.encoder.fc.weight"] = Tensor([1], [0])
            try reference.write(to: path)
            let strange = try verify(path, ranks: 2)
            #expect(strange.status != 0 && strange.errorOutput.contains("encoder.fc.weight"), "\(strange)")
        }
    }

    @Test(arguments: [
        ("hidden", "wide", "hidden"), ("hidden", "-1", "hidden"), ("arch", "vit", "arch"), ("lr", "0.1", "input.view1"),
        ("gamma", nil, "gamma"),
    ]) func metadataThatCannotBeUsedIsNamed(_ key: String, _ value: String?, _ word: String) throws {
        var reference = Reference()
        reference.metadata[key] = value
        try expectRefusal(reference, word)
    }

    @Test(arguments: ["input.view2", "input.box1", "expected.loss", "drift.loss", "weights.encoder.conv1.weight"])
    func aTensorThatIsMissingOrOfAnotherShapeIsNamed(_ name: String) throws {
        var reference = Reference()
        reference.tensors["weights.encoder.conv1.weight"] = Tensor.zeros([64, 3, 7, 7])
        reference.tensors[name] = Tensor.zeros([3, 3])
        try expectRefusal(reference, name)
        reference.tensors[name] = nil
        try expectRefusal(reference, name)
    }

    private func expectRefusal(_ reference: Reference, _ word: String) throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/reference.safetensors"
            try reference.write(to: path)
            let result = try verify(path, ranks: 2)
            let messages = result.errorOutput.split(separator: "\n").filter { $0.hasPrefix("pixpro: error:") }
            #expect(result.status == 78 && messages.count == 1, "\(result)")
            #expect(messages.first?.contains(word) == true && messages[0].contains(path), "no '\(word)' in \(messages)")
        }
    }
}

/// A reference file in memory: ResNet-18, four images of 64 px, two steps.
private struct Reference {
    var tensors: [String: Tensor] = [:]
    var metadata = [
        "arch": "resnet18", "hidden": "32", "gamma": "2", "clamp": "0", "threshold": "0.7", "base_momentum": "0.99",
        "total_steps": "100", "lr": "0.05,0.1", "weight_decay": "1e-5", "sgd_momentum": "0.9", "trust": "0.001",
        "dialect": "official",
    ]
    static let steps = 2, images = 4, size = 64

    /// As verification computes: for one pass, because weights change.
    private static func exact() -> Convolutions { Convolutions(.only(ConvolutionEngines.exact)) }

    /// Inputs alone, without weights.
    init() {
        for view in 1...2 {
            tensors["input.view\(view)"] = randomTensor(
                [Self.steps, Self.images, 3, Self.size, Self.size], key: UInt64(view))
            let boxes = (0..<Self.steps * Self.images).flatMap { index -> [Float] in
                let start = Float(index * view % 5) * 0.08
                return [start, 0.1, start + 0.6, 0.7]
            }
            tensors["input.box\(view)"] = Tensor([Self.steps, Self.images, 4], boxes)
        }
        for name in ["expected.loss", "drift.loss"] { tensors[name] = Tensor.zeros([Self.steps]) }
    }

    /// A whole reference: the steps as one process does them, without buckets or ranks, in float32.
    static func trained() throws -> Reference {
        var reference = Reference(), settings = PixProSettings()
        (settings.architecture, settings.projectorWidth) = (.resnet18, 32)
        let model = PixPro(settings, seed: 3), local = LocalStatistics()
        // A last scale of zero would hide whole branches from the comparison.
        for parameter in model.online.parameters
        where parameter.name.contains("bn") && parameter.name.hasSuffix("weight") {
            parameter.value.copy(from: randomTensor(parameter.value.shape, key: 5, scale: 0.1))
            for index in 0..<parameter.value.count { parameter.value.pointer[index] += 0.5 }
        }
        for parameter in model.online.parameters { parameter.bindGradient(to: .zeros(parameter.value.shape)) }
        let states = [model.online, model.momentum]
        for state in states { reference.add("weights.", StateDictionary(state).entries) }
        for (name, map) in try features(of: model, on: reference.batch(0).view1, resettingTo: reference) {
            reference.add("features", name, map)
        }

        let optimizer = LARS(model.online.parameters), schedule = MomentumSchedule(base: 0.99)
        for (step, rate) in [0.05, 0.1].enumerated() {
            let batch = reference.batch(step)
            model.updateMomentumEncoder(schedule.momentum(at: ScheduleProgress(samples: step, total: 100)))
            for parameter in model.online.parameters { parameter.clearGradient() }
            let targets = try [batch.view1, batch.view2].map {
                try model.target($0, statistics: local, convolutions: exact())
            }
            var loss = 0.0
            for (view, target, boxes) in [
                (batch.view1, targets[1], (batch.box1, batch.box2)),
                (batch.view2, targets[0], (batch.box2, batch.box1)),
            ] {
                loss += try model.learn(
                    view: view, target: target,
                    positives: model.positives(query: boxes.0, key: boxes.1, imageSize: size),
                    imageWeight: 1 / Double(images), statistics: local, convolutions: exact(), onGradientReady: nil)
            }
            reference.tensors["expected.loss"]!.pointer[step] = Float(loss)
            if step == 0 {
                for parameter in model.online.parameters {
                    parameter.settleGradient()
                    let entry = StateDictionary.entry(parameter.name, of: parameter.gradient!)
                    reference.add("gradient", entry.name, entry.read())
                }
            }
            optimizer.update(learningRate: rate)
        }
        for entry in states.flatMap({ StateDictionary($0).entries }) {
            reference.add("weights", entry.name, entry.read())
        }
        return reference
    }

    /// C5, projection and propagated pixels as files hold them; the running statistics are put back.
    private static func features(
        of model: PixPro, on view: Tensor, resettingTo reference: Reference
    ) throws -> [String: Tensor] {
        let pass = Pass(mode: .training, statistics: LocalStatistics(), convolutions: exact())
        let prediction = try model.predict(view, pass)
        for entry in StateDictionary(model.online).entries { entry.write(reference.tensors["weights.\(entry.name)"]!) }
        return [
            "encoder1": prediction.features, "projection1": prediction.projection,
            "propagated1": prediction.propagated,
        ].mapValues { variable in
            let (n, h, w, c) = (
                variable.value.shape[0], variable.value.shape[1], variable.value.shape[2], variable.value.shape[3]
            )
            return variable.value.permutedInner(outer: n, rows: h * w, columns: c).reshaped([n, c, h, w])
        }
    }

    private func batch(_ step: Int) -> TwoViewBatch {
        func mine(_ name: String) -> Tensor { tensors[name]!.rows(step..<step + 1) }
        func view(_ name: String) -> Tensor {
            mine(name).permutedInner(outer: Self.images, rows: 3, columns: Self.size * Self.size)
                .reshaped([Self.images, Self.size, Self.size, 3])
        }
        return TwoViewBatch(
            view1: view("input.view1"), view2: view("input.view2"),
            box1: mine("input.box1").reshaped([Self.images, 4]), box2: mine("input.box2").reshaped([Self.images, 4]))
    }

    private mutating func add(_ prefix: String, _ entries: [StateDictionary.Entry]) {
        for entry in entries { tensors[prefix + entry.name] = entry.read().copy() }
    }

    /// The drift stands for the order of summation, which ranks change. A bias before a normalisation has no gradient
    /// but rounding.
    private mutating func add(_ kind: String, _ name: String, _ tensor: Tensor) {
        tensors["expected.\(kind).\(name)"] = tensor.copy()
        tensors["drift.\(kind).\(name)"] = Tensor([1], [name.hasSuffix("linear1.bias") ? 0.01 : 1e-4])
    }

    func write(to path: String) throws {
        try SafetensorsFile.write(
            tensors.sorted { $0.key < $1.key }.map { NamedTensor(name: $0.key, tensor: $0.value) }, metadata: metadata,
            to: path)
    }
}
