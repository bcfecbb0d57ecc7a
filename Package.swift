// swift-tools-version: 6.1
import Foundation
import PackageDescription

// Declarations are `package` and imports `internal` unless they say otherwise, and a member is seen only where its module
// is imported: the compiler keeps the layers. Those of TensorCore are `public`: the compiler gives other modules the
// bodies of `public` functions to inline, but not of `package` ones (seen with Swift 6.3 in the symbols that modules call:
// `Tensor.floats`, `KeyedGenerator.uniform`), and every loop over a tensor above it needs them.
let features: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

// Kernels are plain loops over raw pointers. On x86-64 they need AVX2 and FMA to reach memory bandwidth; the flag goes
// to Clang's importer, from which the Swift compiler takes its target features.
#if arch(x86_64)
    let swiftSettings = features + [.unsafeFlags(["-Xcc", "-march=x86-64-v3"])]
#else
    let swiftSettings = features
#endif

// oneDNN is used where it is installed; `PIXPRO_ONEDNN=0 swift build` leaves it out.
let hasOneDNN =
    Context.environment["PIXPRO_ONEDNN"] != "0"
    && FileManager.default.fileExists(atPath: "/usr/include/oneapi/dnnl/dnnl.h")
let oneDNN: [Target] = hasOneDNN ? [.target(name: "COneDNN", linkerSettings: [.linkedLibrary("dnnl")])] : []

// So is libtiff; `PIXPRO_TIFF=0 swift build` leaves it out. Debian has its header in a folder of the architecture's.
let headerFolders = ["/usr/include"] + ["x86_64", "aarch64"].map { "/usr/include/\($0)-linux-gnu" }
let hasTIFF =
    Context.environment["PIXPRO_TIFF"] != "0"
    && headerFolders.contains { FileManager.default.fileExists(atPath: $0 + "/tiffio.h") }
let libTIFF: [Target] = hasTIFF ? [.target(name: "CTIFF", linkerSettings: [.linkedLibrary("tiff")])] : []

// MPI by the name that pkg-config has for it: Open MPI's, or with PIXPRO_MPI=mpich (impi) that of MPICH (Intel MPI).
let mpi = Context.environment["PIXPRO_MPI"] ?? "ompi-c"

let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// A Swift layer of the program. Targets are listed bottom-up; each names only what lies below it.
func layer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["TestSupport", systemPackage], resources: resources,
        swiftSettings: swiftSettings)
}

let package = Package(
    name: "pixpro",
    products: [
        .executable(name: "pixpro", targets: ["pixpro"]),
        .executable(name: "pixpro-bench", targets: ["pixpro-bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: oneDNN + libTIFF + [
        // The only places that see C headers.
        .systemLibrary(name: "CMPI", pkgConfig: mpi, providers: [.apt(["libopenmpi-dev"])]),
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .target(name: "CVector"),
        .target(name: "CKernels"),
        .target(name: "CJPEG", linkerSettings: [.linkedLibrary("jpeg")]),
        .target(name: "CPNG", linkerSettings: [.linkedLibrary("png")]),
        .target(name: "CStacks"),
        .target(name: "CCoroutines"),
        // For the benchmark alone.
        .target(name: "CProcessorPeak", dependencies: ["CKernels"]),
        .target(name: "CAllocationCount"),

        layer("Files", [systemPackage]),
        layer("Threads", ["CCoroutines"]),
        layer("Settings", ["Files", "Yams", systemPackage]),
        .target(
            name: "TensorCore",
            dependencies: ["CKernels", "CVector", "COpenBLAS", "Threads"] + (hasOneDNN ? ["COneDNN"] : []),
            swiftSettings: swiftSettings + (hasOneDNN ? [.define("ONEDNN")] : [])),
        layer("MessagePassing", ["CMPI", "CStacks", "Files", "Threads", systemPackage]),
        layer("NeuralNetwork", ["TensorCore", "Threads"]),
        .target(
            name: "ImagePipeline",
            dependencies: ["CJPEG", "CPNG", "Files", "TensorCore", "Threads", systemPackage]
                + (hasTIFF ? ["CTIFF"] : []),
            swiftSettings: swiftSettings + (hasTIFF ? [.define("TIFF")] : [])),
        layer("DataParallel", ["MessagePassing", "NeuralNetwork", "TensorCore", "Threads"]),
        layer("Optimization", ["NeuralNetwork", "TensorCore"]),
        layer("Checkpointing", ["CVector", "Files", "MessagePassing", "TensorCore", "Threads", systemPackage]),
        layer("Drawing", []),
        layer(
            "Learning",
            [
                "Checkpointing", "DataParallel", "Drawing", "Files", "ImagePipeline", "MessagePassing",
                "NeuralNetwork", "Optimization", "Settings", "TensorCore", "Yams", systemPackage,
            ]),
        layer(
            "Evaluation",
            [
                "DataParallel", "Files", "ImagePipeline", "Learning", "MessagePassing", "NeuralNetwork", "TensorCore",
            ]),
        layer(
            "Exporting", ["Checkpointing", "Files", "ImagePipeline", "Learning", "NeuralNetwork", systemPackage]),
        layer(
            "PixelLearning",
            [
                "Checkpointing", "DataParallel", "Evaluation", "Exporting", "Files", "ImagePipeline", "Learning",
                "MessagePassing",
                "NeuralNetwork", "Optimization", "Settings", "TensorCore", "Yams", systemPackage,
            ]),
        layer(
            "DenseTasks",
            [
                "Checkpointing", "Drawing", "Evaluation", "Exporting", "Files", "ImagePipeline",
                "Learning", "MessagePassing", "NeuralNetwork", "Optimization", "Settings", "TensorCore", "Yams",
                systemPackage,
            ]),
        layer(
            "Inpainting",
            [
                "Checkpointing", "Evaluation", "Exporting", "Files", "ImagePipeline", "Learning",
                "MessagePassing",
                "NeuralNetwork", "Optimization", "Settings", "TensorCore", systemPackage,
            ]),
        layer(
            "Training",
            [
                "Checkpointing", "DataParallel", "Drawing", "Files", "ImagePipeline", "Learning", "MessagePassing",
                "NeuralNetwork", "Optimization", "Settings", "TensorCore", "Threads", "Yams", systemPackage,
            ]),
        layer(
            "Launching",
            [
                "Checkpointing", "DataParallel", "Drawing", "Files", "Learning", "MessagePassing", "Settings",
                "Threads",
                "Training", "Yams", subprocess, systemPackage,
            ]),
        .executableTarget(
            name: "pixpro",
            dependencies: [
                "Checkpointing", "DataParallel", "DenseTasks", "Evaluation", "Exporting", "Files", "ImagePipeline",
                "Inpainting",
                "Launching", "Learning", "MessagePassing", "NeuralNetwork", "PixelLearning", "Settings", "TensorCore",
                "Threads",
                "Training",
                argumentParser, systemPackage,
            ], swiftSettings: swiftSettings,
            // Stacks in reports name the functions.
            linkerSettings: [.unsafeFlags(["-Xlinker", "--export-dynamic"])]),
        .executableTarget(
            name: "pixpro-bench",
            dependencies: [
                "CAllocationCount", "CMPI", "CProcessorPeak", "DataParallel", "DenseTasks", "ImagePipeline",
                "Inpainting", "Learning", "MessagePassing", "NeuralNetwork", "Optimization", "PixelLearning",
                "TensorCore", "Threads", "Training", argumentParser, systemPackage,
            ], swiftSettings: swiftSettings),

        .target(
            name: "TestSupport", dependencies: ["Files", "MessagePassing", "TensorCore", "Threads", systemPackage],
            path: "Tests/TestSupport", swiftSettings: swiftSettings),
        tests("ThreadsTests", ["Threads"]),
        tests("TensorCoreTests", ["CKernels", "TensorCore"]),
        tests("NeuralNetworkTests", ["NeuralNetwork", "TensorCore"]),
        tests(
            "PixelLearningTests",
            [
                "Checkpointing", "Files", "ImagePipeline", "Learning", "MessagePassing", "NeuralNetwork",
                "Optimization", "PixelLearning", "Settings", "TensorCore",
            ]),
        tests("MessagePassingTests", ["MessagePassing", "Threads"]),
        tests("DataParallelTests", ["DataParallel", "MessagePassing", "NeuralNetwork", "TensorCore"]),
        tests("FilesTests", ["Files", "TensorCore"]),
        tests("CheckpointingTests", ["Checkpointing", "Files", "MessagePassing", "TensorCore", "Threads"]),
        // Checks that run on several ranks; the tests above start it under mpirun.
        .executableTarget(
            name: "rank-checks",
            dependencies: [
                "Checkpointing", "DataParallel", "Evaluation", "Files", "MessagePassing", "NeuralNetwork", "TensorCore",
                "TestSupport", "Threads", systemPackage,
            ],
            path: "Tests/RankChecks", swiftSettings: swiftSettings,
            linkerSettings: [.unsafeFlags(["-Xlinker", "--export-dynamic"])]),
        // Mutated inputs for every parser of outside data; a test runs a few.
        .executableTarget(
            name: "parser-fuzz",
            dependencies: [
                "Checkpointing", "DataParallel", "DenseTasks", "Files", "ImagePipeline", "PixelLearning", "TensorCore",
                "TestSupport", "Training", systemPackage,
            ],
            path: "Tests/ParserFuzz", swiftSettings: swiftSettings),
        // A task that no file of Sources names; tests train, kill, resume, score and export it.
        .executableTarget(
            name: "task-check",
            dependencies: [
                "DataParallel", "Files", "ImagePipeline", "Learning", "MessagePassing", "NeuralNetwork", "Optimization",
                "Settings", "TensorCore", "Training", systemPackage,
            ],
            path: "Tests/TaskCheck", swiftSettings: swiftSettings,
            linkerSettings: [.unsafeFlags(["-Xlinker", "--export-dynamic"])]),
        // Pictures while memory runs out; a test starts it.
        .executableTarget(name: "decoder-checks", dependencies: ["CJPEG", "CPNG"], path: "Tests/DecoderChecks"),
        tests("DrawingTests", ["Drawing"]),
        tests(
            "EvaluationTests",
            ["Evaluation", "ImagePipeline", "Learning", "MessagePassing", "NeuralNetwork", "TensorCore"]),
        tests(
            "DenseTasksTests",
            [
                "Checkpointing", "DataParallel", "DenseTasks", "Evaluation", "Files", "ImagePipeline", "Learning",
                "MessagePassing", "NeuralNetwork", "Optimization", "Settings", "TensorCore", "Yams",
            ]),
        tests(
            "InpaintingTests",
            [
                "Checkpointing", "DataParallel", "Files", "ImagePipeline", "Inpainting", "Learning", "MessagePassing",
                "NeuralNetwork", "Optimization", "Settings", "TensorCore", "Yams",
            ]),
        tests(
            "TrainingTests",
            [
                "Checkpointing", "DataParallel", "Drawing", "Evaluation", "Files", "ImagePipeline", "Learning",
                "MessagePassing", "NeuralNetwork", "Optimization", "PixelLearning", "Settings", "TensorCore",
                "Threads", "Training",
            ]),
        tests("ImagePipelineTests", ["Files", "ImagePipeline", "TensorCore"]),
        tests(
            "CommandLineTests",
            [
                "Checkpointing", "DataParallel", "Files", "ImagePipeline", "Learning", "MessagePassing",
                "NeuralNetwork",
                "Optimization", "PixelLearning", "Settings", "TensorCore", "Training", "Yams",
            ]),
        tests(
            "ExportingTests",
            [
                "Checkpointing", "DenseTasks", "Exporting", "Files", "ImagePipeline", "Inpainting", "NeuralNetwork",
                "PixelLearning", "TensorCore",
            ]),
        tests(
            "LaunchingTests",
            [
                "Checkpointing", "DenseTasks", "Drawing", "Files", "Launching", "Learning", "MessagePassing",
                "PixelLearning", "Settings", "TensorCore", "Training",
            ]),
        tests("OptimizationTests", ["Optimization", "NeuralNetwork", "TensorCore"]),
    ]
)
