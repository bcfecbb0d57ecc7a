import Checkpointing
import Foundation
import Inpainting
import Learning
import MessagePassing
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// PyTorch's alternations of inpainting, by ranks in this process.
@Suite struct InpaintingReferenceTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "References/Fixtures/").path

    @Test(arguments: [("published", 3), ("paper", 2), ("baseline", 1)])
    func attentionLossesSlopesAndWeightsAreThoseOfPyTorch(_ name: String, _ ranks: Int) throws {
        let path = FilePath("\(Self.folder)/inpainting-\(name).safetensors")
        let reports = try SimulatedRanks(ranks, seed: UInt64(ranks)).run {
            try verify(path, subjects: [InpaintingReference.self], communicator: $0)
        }
        let report = reports[0]
        #expect(report.passed, "\(report.text)")
        #expect(report.losses.count { $0.term == "generator total" } == 3)
        for kind in ["penalty_gradient", "hole_gradient", "complete_gradient", "outputs"] {
            #expect(report.tensors.contains { $0.kind == kind })
        }
        #expect(report.tensors.contains { $0.name == "attention" } == (name != "baseline"))
        #expect(report.notOffered.contains("attention_logit_zero") == (name == "published"))
        #expect(reports.dropFirst().allSatisfy { $0.text == report.text })
    }

    /// The smallest reference with something changed in it, as one rank sees it.
    private func verifyChanged(
        _ change: (inout [String: Tensor], inout [String: String]) -> Void
    ) throws -> VerificationReport {
        let file = try SafetensorsFile(path: FilePath("\(Self.folder)/inpainting-baseline.safetensors"))
        var tensors = try Dictionary(
            uniqueKeysWithValues: file.tensors.map { ($0.name, try file.readTensor($0.name)) })
        var metadata = file.metadata
        change(&tensors, &metadata)
        return try withTemporaryDirectory { directory in
            let path = FilePath(directory + "/reference.safetensors")
            try SafetensorsFile.write(
                tensors.sorted { $0.key < $1.key }.map { NamedTensor(name: $0.key, tensor: $0.value) },
                metadata: metadata, to: path)
            return try SimulatedRanks(1).run {
                try verify(path, subjects: [InpaintingReference.self], communicator: $0)
            }[0]
        }
    }

    @Test(arguments: [
        ("penalty_gradient", "critics.local.features.conv2.weight"), ("hole_gradient", "global"),
        ("complete_gradient", ""), ("outputs", "coarse"), ("gradient", "generator.decoder.conv3.bias"),
        ("weights", "critics.global.linear.weight"),
    ]) func aChangedReferenceIsNotMet(_ kind: String, _ name: String) throws {
        let report = try verifyChanged { tensors, _ in
            let tensor = tensors["expected.\(kind)" + (name.isEmpty ? "" : ".\(name)")]!
            tensor.pointer[0] += 0.01 * Float(tensor.norm)
        }
        let failed = report.tensors.filter { !$0.passed }
        #expect(failed.map(\.kind) == [kind] && report.losses.allSatisfy(\.passed), "\(report.text)")
    }

    @Test func aChangedLossIsNotMet() throws {
        let report = try verifyChanged { tensors, _ in
            tensors["expected.curve.critic.penalty_local"]!.pointer[1] += 1e-4
            tensors["expected.generator.ae_fine"]!.pointer[0] += 1e-4
        }
        let failed = report.losses.filter { !$0.passed }
        #expect(failed.map(\.term) == ["generator ae_fine", "critic penalty_local"] && failed.map(\.step) == [0, 2])
    }

    @Test(arguments: [
        ("border", "reflect", "neither dialect"), ("gan", "lsgan", "only wgan-gp is offered"),
        ("alignment", "symmetric", "only same is offered"), ("cnum", "512", "coarse.conv17.weight"),
        ("attention", "{}", "'attention' is '{}'"), ("batch", "2", "input.images"), ("gamma", nil, "no 'gamma'"),
    ]) func metadataThatCannotBeUsedIsNamed(_ key: String, _ value: String?, _ words: String) throws {
        do {
            _ = try verifyChanged { $1[key] = value }
            Issue.record("\(key) \(value ?? "nil") was taken")
        } catch {
            #expect("\(error)".contains(words), "\(error)")
        }
    }
}
