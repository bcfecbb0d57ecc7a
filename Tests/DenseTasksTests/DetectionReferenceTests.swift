import DenseTasks
import Foundation
import Learning
import MessagePassing
import SystemPackage
import TestSupport
import Testing

/// PyTorch's steps of detection, by ranks in this process.
@Suite struct DetectionReferenceTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "References/Fixtures/").path

    @Test(arguments: [("fcos", 1), ("fcos", 3), ("torchvision", 2), ("frozen", 3)])
    func targetsLossesGradientsAndDetectionsAreThoseOfPyTorch(_ name: String, _ ranks: Int) throws {
        let path = FilePath("\(Self.folder)/detection-\(name).safetensors")
        let reports = try SimulatedRanks(ranks, seed: UInt64(ranks)).run {
            try verify(path, subjects: [DetectionReference.self], communicator: $0)
        }
        let report = reports[0]
        #expect(report.passed, "\(report.text)")
        #expect(report.losses.map(\.term).filter { !$0.isEmpty } == ["cls", "ctr", "reg", "cls", "ctr", "reg"])
        for kind in ["targets", "detections"] { #expect(report.tensors.count { $0.kind == kind } == 3) }
        #expect(reports.dropFirst().allSatisfy { $0.text == report.text })
    }
}
