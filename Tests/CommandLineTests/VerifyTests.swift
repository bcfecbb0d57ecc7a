import Checkpointing
import Foundation
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// `pixpro verify` on the references that PyTorch wrote, as they are and with something changed in them.
@Suite(.serialized) struct VerifyTests {
    static let folder = SmallRun.project + "/Tests/References/Fixtures/"
    static let references = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()

    private func verify(_ reference: String, ranks: Int, _ options: [String] = []) throws -> ProcessResult {
        try MPILauncher.run("pixpro", ranks: ranks, ["verify", "--reference", reference] + options)
    }

    @Test(arguments: references, [1, 2]) func theStepsOfPyTorchAreMet(_ name: String, _ ranks: Int) throws {
        let result = try verify(Self.folder + name, ranks: ranks)
        let verdict = result.output.split(separator: "\n").last ?? ""
        #expect(result.status == 0 && verdict.hasPrefix("verified on \(ranks) rank"), "\(result)")
        // Of the smallest model: stages of features twice, a gradient of each parameter, and the tensors of its networks.
        let tensors = verdict.firstMatch(of: /\d+ losses and (\d+) tensors agree with the reference/)
        #expect(tensors.flatMap { Int($0.1) } ?? 0 >= (name.hasPrefix("pix") ? 184 : 99), "\(verdict)")
    }

    @Test func thereIsAReferenceOfEachMethodAndDialectAndAllAreSmall() throws {
        let methods = ["pixpro", "pixcontrast", "pixpro-byol", "pixpro-simclr", "pixcontrast-simclr", "pixpro-towers"]
        let dialects = ["pixpro", "pixcontrast-byol", "pixpro-simclr", "pixcontrast-simclr-levels"]
        let names = methods.map { $0 + "-official" } + dialects.map { $0 + "-paper" }
        let dense = [
            "segmentation", "segmentation-frozen", "detection-fcos", "detection-torchvision", "detection-frozen",
            "inpainting-published", "inpainting-paper", "inpainting-baseline",
        ]
        #expect(Set(Self.references).isSuperset(of: (names + dense).map { $0 + ".safetensors" }))
        let sizes = try Self.references.map {
            try #require(FileManager.default.attributesOfItem(atPath: Self.folder + $0)[.size] as? Int)
        }
        #expect(sizes.allSatisfy { $0 <= 3_500_000 } && sizes.reduce(0, +) <= 30_000_000, "\(sizes)")
    }

    @Test func ranksComputeWithAllThreadsThatTheirCoresAllow() throws {
        let path = Self.folder + "pixpro-official.safetensors"
        let alone = try verify(path, ranks: 1)
        #expect(alone.output.contains("verified on 1 rank with \(SmallRun.cores) thread"), "\(alone)")
        let three = try verify(path, ranks: 2, ["--threads", "3"])
        #expect(three.output.contains("verified on 2 ranks with 3 threads each:"), "\(three)")
    }

    @Test func aChangedReferenceIsNotMet() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/reference.safetensors"
            let reference = try Reference()
            try reference.write(to: path)
            let five = try verify(path, ranks: 5)
            #expect(five.status == 78 && five.errorOutput.contains("4 images for 5 ranks"), "\(five)")

            // One number of one tensor of the momentum encoder, and the loss of the first step, which is compared twice.
            let changed = "expected.weights.encoder_k.layer3.0.conv1.weight"
            let tensor = try #require(reference.tensors[changed])
            tensor.pointer[0] += 0.01 * Float(tensor.sumOfSquares.squareRoot())
            reference.tensors["expected.loss"]!.pointer[0] += 2e-5
            try reference.write(to: path)
            let failed = try verify(path, ranks: 2)
            #expect(failed.status == 1 && failed.output.contains("3 of 192 figures are past"), "\(failed)")
            #expect(failed.output.matches(of: /FAIL  encoder_k\.layer3\.0\.conv1\.weight/).count == 1, "\(failed)")
        }
    }

    /// A gradient that no rounding explains is wrong, however often it is tried.
    @Test func aChangedGradientIsMetByNoRounding() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/reference.safetensors"
            let reference = try Reference()
            let gradient = try #require(reference.tensors["expected.gradient.encoder.layer2.0.conv1.weight"])
            gradient.pointer[0] += 0.002 * Float(gradient.sumOfSquares.squareRoot())
            try reference.write(to: path)
            for ranks in 1...2 {
                let failed = try verify(path, ranks: ranks)
                #expect(failed.status == 1 && failed.output.contains("1 of 192 figures are past"), "\(failed)")
                #expect(failed.output.contains("none of 8 roundings meets it"), "\(failed)")
            }
        }
    }

    /// What one rank alone reads ends the job with a message on all.
    @Test func aLabelOfOneRankThatIsNoClassIsNamed() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/reference.safetensors", reference = try Reference("segmentation.safetensors")
            let labels = try #require(reference.tensors["input.labels"]), pixels = labels.shape[2] * labels.shape[3]
            labels.pointer[labels.shape[1] * pixels - 1] = 99
            try reference.write(to: path)
            for ranks in 1...2 {
                let result = try verify(path, ranks: ranks)
                let messages = result.errorOutput.split(separator: "\n").filter { $0.hasPrefix("pixpro: error:") }
                #expect(result.status == 78 && messages.count == 1, "\(result)")
                #expect(messages.first?.contains("'input.labels' has 99") == true, "\(result)")
            }
        }
    }

    /// What the reference expects and this model does not have is not passed over.
    @Test(arguments: [("gradient.encoder.fc.weight", 1), ("loss.instance", 2)])
    func anExpectationOfSomethingElseIsNamed(_ name: String, _ count: Int) throws {
        try expectRefusal("'expected.\(name)' is nothing") { reference in
            for kind in ["expected", "drift"] { reference.tensors["\(kind).\(name)"] = Tensor.zeros([count]) }
        }
    }

    @Test(arguments: [
        ("hidden", "wide", "hidden"), ("hidden", "-1", "hidden"), ("hidden", "900000000", "weights.projector"),
        ("projection", "0", "projection"), ("projection", nil, "weights.projector.linear2.weight"),
        ("arch", "vit", "arch"), ("lr", "0.1", "input.view1"), ("gamma", nil, "gamma"),
        ("method", "moco", "'method' is 'moco'"), ("instance", "byol", "no 'method'"),
        ("method", "pixcontrast", "no 'temperature'"),
        ("pyramid_levels", "5,4", "'pyramid_levels' is '5,4'"), ("pyramid_levels", "3,4,5", "no 'pyramid_channels'"),
    ]) func metadataThatCannotBeUsedIsNamed(_ key: String, _ value: String?, _ words: String) throws {
        try expectRefusal(words) { $0.metadata[key] = value }
    }

    @Test(arguments: [
        "input.view2", "input.box1", "expected.loss", "drift.loss", "weights.encoder.conv1.weight",
        "expected.features.encoder1", "drift.weights.encoder.bn1.bias",
    ])
    func aTensorThatIsMissingOrOfAnotherShapeIsNamed(_ name: String) throws {
        try expectRefusal(name) { $0.tensors[name] = Tensor.zeros([3, 3]) }
        try expectRefusal(name) { $0.tensors[name] = nil }
    }

    @Test(arguments: ["features", "gradient", "weights"]) func aReferenceThatDriftedIsRefused(_ kind: String) throws {
        try expectRefusal("the median drift of its \(kind) is 2.00e-4, above 0.0001") { reference in
            let drifts = reference.tensors.keys.filter { $0.hasPrefix("drift.\(kind).") }.sorted()
            for name in drifts.prefix(drifts.count / 2 + 1) { reference.tensors[name]!.fill(2e-4) }
        }
    }

    @Test(arguments: [-Float(1), .infinity, .nan]) func aDriftThatIsNoNumberIsRefused(_ drift: Float) throws {
        try expectRefusal("'drift.gradient.encoder.bn1.bias' must be one finite number") {
            $0.tensors["drift.gradient.encoder.bn1.bias"]!.fill(drift)
        }
    }

    /// One message, which has `words` and names the file.
    private func expectRefusal(_ words: String, _ change: (inout Reference) -> Void) throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/reference.safetensors"
            var reference = try Reference()
            change(&reference)
            try reference.write(to: path)
            let result = try MPILauncher.run("pixpro", ["verify", "--reference", path])
            let messages = result.errorOutput.split(separator: "\n").filter { $0.hasPrefix("pixpro: error:") }
            #expect(result.status == 78 && messages.count == 1, "\(result)")
            #expect(
                messages.first?.contains(words) == true && messages[0].contains(path), "no '\(words)' in \(messages)")
        }
    }
}

/// A small reference in memory.
struct Reference {
    var tensors: [String: Tensor]
    var metadata: [String: String]

    init(_ name: String = "pixpro-official.safetensors") throws {
        let file = try SafetensorsFile(path: FilePath(VerifyTests.folder + name))
        metadata = file.metadata
        tensors = try Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, try file.readTensor($0.name)) })
    }

    func write(to path: String) throws {
        try SafetensorsFile.write(
            tensors.sorted { $0.key < $1.key }.map { NamedTensor(name: $0.key, tensor: $0.value) }, metadata: metadata,
            to: FilePath(path))
    }
}
