import Checkpointing
import Files
import Foundation
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Files that PyTorch wrote in both of its layouts (`Tests/References/make_weights.py`).
@Suite struct PyTorchFileTests {
    private static let folder = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .pushing(FilePath("References/Weights"))

    private func path(_ name: String) -> FilePath { Self.folder.appending(name) }

    @Test(arguments: ["published.pth", "published-before.pth"]) func aPublishedCheckpointHoldsItsWeights(
        _ name: String
    ) throws {
        let file = try openWeights(path(name)), expected = try SafetensorsFile(path: path("published.safetensors"))
        #expect(expected.tensors.count > 20)
        for tensor in expected.tensors {
            let read = try file.readTensor("model." + tensor.name)
            #expect(read.shape == tensor.shape, "\(tensor.name)")
            #expect(try read.array == expected.readTensor(tensor.name).array, "\(tensor.name)")
        }
        #expect(file.tensors.map(\.name).contains("optimizer.state.0.momentum_buffer"))
        #expect(file.skipped == ["opt (argparse.Namespace)"])
        #expect(try file.read("model.module.encoder.bn1.num_batches_tracked").integers == [0])
        #expect(throws: FileError.self) { try file.read("model.encoder") }
    }

    @Test(arguments: ["views.pth", "views-before.pth"]) func storagesAreSharedCutAndTurned(_ name: String) throws {
        let file = try openWeights(path(name)), expected = try SafetensorsFile(path: path("views.safetensors"))
        #expect(expected.tensors.count == 11)
        for tensor in expected.tensors {
            let read = try file.readTensor("list.0." + tensor.name)
            #expect(read.shape == tensor.shape, "\(tensor.name)")
            #expect(try read.array == expected.readTensor(tensor.name).array, "\(tensor.name)")
        }
        #expect(try file.read("list.0.scalar").floats == [7.5] && file.read("list.0.scalar").shape == [])
        #expect(try file.read("list.0.empty").shape == [0, 3])
        #expect(try file.read("list.0.counter").integers == [1 << 40])
        #expect(try file.read("list.0.bytes").integers == [1, 255] && file.read("list.0.flags").integers == [1, 0])
        #expect(try file.read("list.0.bfloat16").elementType == .bfloat16)
        #expect(file.skipped == ["type (torch.float32)"])
    }

    @Test(arguments: ["program.pth", "program-before.pth"]) func aProgramIsRefusedAndNotRun(_ name: String) throws {
        let error = #expect(throws: FileError.self) { try openWeights(path(name)) }
        #expect("\(error!)".contains("is a program: it calls posix.system"), "\(error!)")
    }

    @Test func aPickleAloneIsNoFileOfWeights() throws {
        for name in ["program.pkl"] {
            let error = #expect(throws: FileError.self) { try PyTorchFile(path: path(name)) }
            #expect("\(error!)".contains("is a program") || "\(error!)".contains("torch.save"), "\(error!)")
        }
    }

    /// A file that ends early says so, wherever it was cut.
    @Test(arguments: ["published.pth", "published-before.pth", "views.pth", "views-before.pth"])
    func aFileThatWasCutShortIsRefused(_ name: String) throws {
        let whole = try WholeFile.bytes(of: path(name))
        try withTemporaryDirectory { directory in
            let cut = FilePath(directory + "/cut.pth")
            for part in 1..<40 {
                try WholeFile.write(Array(whole.prefix(whole.count * part / 40)), to: cut, isDurable: false)
                #expect(throws: FileError.self, "\(part)/40") { try openWeights(cut) }
            }
        }
    }

    /// Numbers that claim more than there is take no memory.
    @Test func sizesAreHeldAgainstTheFile() throws {
        try withTemporaryDirectory { directory in
            let lying = FilePath(directory + "/lying.pth")
            var bytes = try WholeFile.bytes(of: path("views-before.pth"))
            // The count of the first storage behind the keys: eight bytes that come last before numbers.
            let start = try #require(bytes.indices.last { bytes[$0...].starts(with: [24, 0, 0, 0, 0, 0, 0, 0]) })
            bytes[start + 6] = 0x10
            try WholeFile.write(bytes, to: lying, isDurable: false)
            let error = #expect(throws: FileError.self) { try openWeights(lying) }
            #expect("\(error!)".contains("claims") && "\(error!)".contains("numbers for storage"), "\(error!)")
        }
    }
}
