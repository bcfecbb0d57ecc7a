import Foundation
import Inpainting
import Learning
import MessagePassing
import SystemPackage
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
}
