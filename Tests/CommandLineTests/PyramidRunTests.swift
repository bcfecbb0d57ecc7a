import Checkpointing
import Foundation
import SystemPackage
import TestSupport
import Testing
import Training

/// Pixels of a pyramid's levels, seen through towers, learned as users learn them.
@Suite(.serialized) struct PyramidRunTests {
    private let settings = [
        "method.pyramid.levels=[3, 4, 5]", "method.pyramid.channels=32", "method.pyramid.towerDepth=1",
    ]

    @Test func aRunGoesOnBitForBitAndReportsTheLossOfEachTerm() throws {
        try SmallRun.with { whole in
            let result = try whole.train(ranks: 2, settings)
            #expect(result.status == 0, "\(result)")
            let first = try #require(
                try MetricsFile.read(FilePath(whole.run + "/metrics.jsonl")).records.first { $0.kind == .train }?.values
            )
            let terms = ["3", "4", "5"].flatMap { ["loss.level\($0).cls", "loss.level\($0).bbox"] }
            let mean = try terms.map { try #require(first[$0]) }.reduce(0, +) / 6
            let loss = try #require(first["loss"]), pixel = try #require(first["loss.pixel"])
            #expect(abs(mean - loss) < 1e-9 && abs(pixel - loss) < 1e-9, "\(first)")
            try expectStart(of: whole)
            try SmallRun.with { parts in
                #expect(try parts.train(ranks: 2, settings + ["schedule.steps=2"]).status == 0)
                let resumed = try parts.train(ranks: 2, settings)
                #expect(resumed.status == 0 && resumed.errorOutput.contains("resuming from"), "\(resumed)")
                #expect(try parts.losses() == whole.losses())
                #expect(try parts.shardChecksums(step: 4) == whole.shardChecksums(step: 4))
            }
        }
    }

    /// What a detector of the same pyramid and towers begins with.
    private func expectStart(of run: SmallRun) throws {
        let path = run.directory + "/start.safetensors"
        let exported = try MPILauncher.run("pixpro", ["export", run.run, "-o", path, "--network", "pyramid"])
        #expect(exported.status == 0, "\(exported)")
        let names = try SafetensorsFile(path: FilePath(path)).tensors.map(\.name)
        for name in [
            "encoder.conv1.weight", "pyramid.output5.bn.weight", "tower_cls.0.gn.bias", "tower_bbox.0.conv.bias",
        ] {
            #expect(names.contains(name), "\(names)")
        }
        #expect(!names.contains { $0.contains("_k.") || $0.hasPrefix("projector") || $0.hasPrefix("optimizer") })
    }

    @Test func oneRankAndThreeHaveTheSameLosses() throws {
        func losses(_ ranks: Int) throws -> [Double] {
            var losses: [Double] = []
            try SmallRun.with { run in
                let result = try run.train(ranks: ranks, settings + ["schedule.steps=2"])
                #expect(result.status == 0, "\(result)")
                losses = try run.losses()
            }
            return losses
        }
        let alone = try losses(1), together = try losses(3)
        #expect(alone.count == 2 && zip(alone, together).allSatisfy { abs($0 - $1) <= 1e-4 }, "\(alone), \(together)")
    }
}
